/**
 * An application that writes files, in a StatefulSet, made as a user would make one: it appends numbered lines to a ledger and
 * can be told to stand still, by a command or by a request. Its file system can be frozen, too.
 */
import { type Anything, apply, create, KINDS, remove } from './cluster';
import { statefulServer } from './objects';
import { addressOf, isReady } from './pods';
import { runInPod } from './tool-in-pod';
import { eventually } from './wait';

/** What the application says of itself. */
export interface BackendState {
  readonly held: boolean;
  /** Lines that are on the device. */
  readonly lines: number;
  /** How many there were when it was last told to stand still. */
  readonly linesWhenHeld: number;
  /** The longest time between two lines since it was last asked for that. */
  readonly longestStallMs: number;
}

export interface TestBackend {
  readonly name: string;
  readonly namespace: string;
  readonly pod: string;
  readonly claim: string;
  readonly url: string;
  state(): Promise<BackendState>;
  /** As somebody who knows of no backup would. */
  letGo(): Promise<void>;
  /** Begins to measure how long a line waits. */
  measure(): Promise<void>;
  /** Waits until so many more lines are written. */
  more(lines: number): Promise<void>;
}

/** Where the files lie. */
export const FILES = '/files';
const LEDGER = `${FILES}/ledger`;
const PORT = 8080;

/** The commands of a hook that stands still, and how they end: 0, or 1 where it does not. */
export const HOLD = ['node', '/app/hold.mjs', 'POST', '/hold'] as const;
export const LET_GO = ['node', '/app/hold.mjs', 'POST', '/let-go'] as const;
export const IS_HELD = ['node', '/app/hold.mjs', 'GET', '/held'] as const;

const SERVER = `
import { createServer } from 'node:http';
import { closeSync, fdatasync, openSync, write } from 'node:fs';
import { promisify } from 'node:util';
const [append, sync] = [promisify(write), promisify(fdatasync)];
const file = openSync('${LEDGER}', 'a');
let [held, lines, linesWhenHeld, stall, last, busy] = [false, 0, 0, 0, performance.now(), Promise.resolve()];
const one = async () => {
  await append(file, lines + 1 + '\\n');
  await sync(file);
  lines += 1;
  const now = performance.now();
  stall = Math.max(stall, now - last);
  last = now;
};
setInterval(() => { if (!held) busy = busy.then(() => held ? undefined : one()); }, 20);
const routes = {
  'POST /hold': async () => { held = true; await busy; linesWhenHeld = lines; },
  'POST /let-go': async () => { held = false; },
  'GET /held': async () => held,
  'POST /measure': async () => { [stall, last] = [0, performance.now()]; },
  'GET /state': async () => true,
};
createServer(async (request, response) => {
  const route = routes[request.method + ' ' + request.url];
  const well = route !== undefined && request.headers.authorization !== 'Bearer wrong' && (await route()) !== false;
  const longestStallMs = Math.max(stall, held ? performance.now() - last : 0);
  response.writeHead(well ? 200 : 409).end(JSON.stringify({ held, lines, linesWhenHeld, longestStallMs }));
}).listen(${PORT});
`;

const HOLD_SCRIPT = `
const [, , method, path] = process.argv;
const answer = await fetch('http://127.0.0.1:${PORT}' + path, { method });
if (!answer.ok) console.error('answered with ' + answer.status);
process.exit(answer.ok ? 0 : 1);
`;

/** Starts the application, and waits until it writes. */
export async function startBackend({
  namespace,
  name = 'backend',
}: {
  readonly namespace: string;
  readonly name?: string;
}): Promise<TestBackend> {
  const app = { name: 'app', configMap: { name } };
  const pod = {
    terminationGracePeriodSeconds: 1,
    containers: [
      {
        name: 'app',
        image: 'node:24',
        command: ['node', '/app/server.mjs'],
        // For fsfreeze.
        securityContext: { privileged: true, runAsUser: 0 },
        readinessProbe: { httpGet: { path: '/state', port: PORT }, periodSeconds: 1 },
        volumeMounts: [
          { name: 'files', mountPath: FILES },
          { name: 'app', mountPath: '/app' },
        ],
      },
    ],
    volumes: [app],
  };
  const data = { 'server.mjs': SERVER, 'hold.mjs': HOLD_SCRIPT };
  await apply([
    { ...KINDS.configMap, metadata: { name, namespace }, data } as Anything,
    ...statefulServer({ namespace, name, port: PORT, pod, volumes: ['files'] }),
  ]);
  await eventually(`${name} is ready`, () => isReady(`${name}-0`, namespace), { seconds: 120 });
  return backendOf(namespace, name, await addressOf(`${name}-0`, namespace));
}

function backendOf(namespace: string, name: string, host: string): TestBackend {
  const ask = async (method: string, path: string): Promise<BackendState> => {
    const answer = await fetch(`http://${host}:${PORT}${path}`, { method });
    return (await answer.json()) as BackendState;
  };
  const state = (): Promise<BackendState> => ask('GET', '/state');
  return {
    name,
    namespace,
    pod: `${name}-0`,
    claim: `files-${name}-0`,
    url: `http://${name}:${PORT}`,
    state,
    letGo: async () => void (await ask('POST', '/let-go')),
    measure: async () => void (await ask('POST', '/measure')),
    more: async (lines) => {
      const from = (await state()).lines;
      await eventually(`${lines} more lines are written`, async () => (await state()).lines >= from + lines);
    },
  };
}

/** The lines of the ledger in a restored claim. */
export async function ledgerIn(claimName: string, namespace: string): Promise<readonly number[]> {
  const name = `look-${claimName}`;
  const container = {
    name: 'look',
    image: 'node:24',
    command: ['node', '-e', 'setInterval(() => {}, 1e6)'],
    volumeMounts: [{ name: 'files', mountPath: FILES }],
  };
  await create({
    ...KINDS.pod,
    metadata: { name, namespace },
    spec: {
      terminationGracePeriodSeconds: 0,
      securityContext: { runAsUser: 0 },
      containers: [container],
      volumes: [{ name: 'files', persistentVolumeClaim: { claimName } }],
    },
  } as Anything);
  try {
    await eventually(`${name} runs`, () => isReady(name, namespace), { seconds: 120 });
    const text = await runInPod({ namespace, pod: name }, ['cat', LEDGER]);
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map(Number);
  } finally {
    await remove(KINDS.pod, name, namespace, 0);
  }
}
