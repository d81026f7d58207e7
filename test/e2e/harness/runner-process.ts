/** The runner as a process: containers of the test cluster are processes of this machine. */
import { execFile, spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { type Anything, KINDS, read } from './cluster';
import { eventually } from './wait';

const run = promisify(execFile);

/** The runner's process in a pod, known beforehand so that it can be killed at once. */
export interface RunnerProcess {
  readonly pid: number;
  /** Ends it as the kernel's out-of-memory killer would: without a word. */
  kill(): void;
  /** Asks it to stop, as the kubelet does. */
  terminate(): void;
  /** Halts it where it is, until it is resumed: its connections stay. */
  halt(): void;
  resume(): void;
}

/** Finds the process of a pod's container on its node; where it has several, that of the one named. */
export async function runnerProcess(pod: string, namespace: string, name?: string): Promise<RunnerProcess> {
  const { container, node } = await eventually(`the container of ${pod} runs`, async () => {
    const found = await read(KINDS.pod, pod, namespace);
    const statuses: readonly Anything[] = found?.status?.containerStatuses ?? [];
    const status = name === undefined ? statuses[0] : statuses.find((each) => each.name === name);
    if (status?.state?.running === undefined) return undefined;
    return { container: String(status.containerID).replace('containerd://', ''), node: String(found?.spec.nodeName) };
  });
  const socket = `/run/test-cluster/${node}.sock`;
  const { stdout } = await run('ctr', ['-a', socket, '-n', 'k8s.io', 'tasks', 'ls']);
  const line = stdout.split('\n').find((each) => each.startsWith(container));
  const pid = Number(line?.trim().split(/\s+/)[1]);
  if (!(pid > 1)) throw new Error(`no process of container ${container} on ${node}`);
  return {
    pid,
    kill: () => void process.kill(pid, 'SIGKILL'),
    terminate: () => void process.kill(pid, 'SIGTERM'),
    halt: () => void process.kill(pid, 'SIGSTOP'),
    resume: () => void process.kill(pid, 'SIGCONT'),
  };
}

/** Takes the runner's pod off the network: not a packet comes through any more, and nobody is told. */
export async function unplug({ pid }: Pick<RunnerProcess, 'pid'>): Promise<void> {
  await run('nsenter', ['--target', `${pid}`, '--net', 'ip', 'link', 'set', 'eth0', 'down']);
}

/**
 * Lets nothing that the runner sends to a port through: it goes on until the next thing that it has to say there, and
 * waits. Answers with what lets it through again.
 */
export async function mute({ pid }: Pick<RunnerProcess, 'pid'>, port: number): Promise<() => Promise<void>> {
  const rule = ['OUTPUT', '-p', 'tcp', '--dport', `${port}`, '-j', 'DROP'];
  const change = (how: '-A' | '-D'): Promise<unknown> =>
    run('nsenter', ['--target', `${pid}`, '--net', 'iptables', '-w', how, ...rule]);
  await change('-A');
  return async () => void (await change('-D'));
}

/** When processes of containers were started: the runtime's own word, since the kubelet's has whole seconds. */
export function followStarts(): AsyncDisposable & { readonly at: ReadonlyMap<number, number> } {
  const at = new Map<number, number>();
  const sockets = readdirSync('/run/test-cluster').filter((name) => name.endsWith('.sock'));
  const children = sockets.map((socket) => spawn('ctr', ['-a', `/run/test-cluster/${socket}`, 'events']));
  for (const child of children) {
    // As `2026-11-21 02:00:00.123456789 +0000 UTC k8s.io /tasks/start {"container_id":"…","pid":123}`.
    createInterface(child.stdout).on('line', (line) => {
      const [, day, time, pid] = /^(\S+) (\S+) \+0000 UTC \S+ \/tasks\/start .*"pid":(\d+)/.exec(line) ?? [];
      if (pid !== undefined) at.set(Number(pid), Date.parse(`${day}T${time?.slice(0, 12)}Z`));
    });
  }
  return { at, [Symbol.asyncDispose]: async () => void children.map((child) => child.kill()) };
}
