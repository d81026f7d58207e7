/** Servers of object storage, each in a pod: S3 by versitygw, and emulators or small versions of the others. */
import { apply, KINDS, read } from './cluster';
import { makeNamespace } from './namespace';
import { addressOf, isReady } from './pods';
import { runnerProcess } from './runner-process';
import type { Servers } from './store-servers';
import { runInPod } from './tool-in-pod';
import { eventually } from './wait';

/** A running server. */
export interface ObjectServer {
  /** Of the pod itself: the machine that runs the tests is on the pods' network. */
  readonly url: URL;
  /** Ends it without a word. The kubelet starts it again, with what it had on disk. */
  kill(): Promise<void>;
  /** The same, and returns while it is gone: with what waits until it is back. */
  stop(): Promise<() => Promise<void>>;
  /** Runs a program of its image beside it. */
  run(words: readonly string[]): Promise<string>;
}

/** What a server's pod is made of. */
export interface ServerPod {
  readonly name: string;
  readonly image: string;
  readonly port: number;
  readonly data: string;
  /** Another folder that has to be there. */
  readonly more?: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Servers in a namespace of their own. */
export async function inCluster(purpose: string): Promise<Servers> {
  const namespace = await makeNamespace(purpose);
  return {
    start: (pod) => startObjectServer(namespace.name, pod),
    [Symbol.asyncDispose]: () => namespace[Symbol.asyncDispose](),
  };
}

/** Starts a server and waits until its port answers. */
export async function startObjectServer(namespace: string, pod: ServerPod): Promise<ObjectServer> {
  const { name, image, port, data, more, args, env = {} } = pod;
  const folders = { data, ...(more === undefined ? {} : { more }) };
  await apply([
    {
      ...KINDS.pod,
      metadata: { name, namespace, labels: { app: name } },
      spec: {
        terminationGracePeriodSeconds: 0,
        containers: [
          {
            name,
            image,
            ...(args === undefined ? {} : { args: [...args] }),
            env: Object.entries(env).map(([key, value]) => ({ name: key, value })),
            readinessProbe: { tcpSocket: { port }, periodSeconds: 1 },
            volumeMounts: Object.entries(folders).map(([volume, mountPath]) => ({ name: volume, mountPath })),
          },
        ],
        volumes: Object.keys(folders).map((volume) => ({ name: volume, emptyDir: {} })),
      },
    } as never,
  ]);
  await eventually(`${name} is ready`, () => isReady(name, namespace), { seconds: 120 });
  const address = await addressOf(name, namespace);
  const stop = async (): Promise<() => Promise<void>> => {
    const restarts = await restartsOf(name, namespace);
    (await runnerProcess(name, namespace)).kill();
    return async () => {
      const isBack = async (): Promise<boolean> =>
        (await restartsOf(name, namespace)) > restarts && (await isReady(name, namespace));
      await eventually(`${name} is back`, isBack, { seconds: 120 });
    };
  };
  return {
    url: new URL(`http://${address}:${port}`),
    stop,
    kill: async () => await (await stop())(),
    run: (words) => runInPod({ namespace, pod: name }, words),
  };
}

async function restartsOf(pod: string, namespace: string): Promise<number> {
  return (await read(KINDS.pod, pod, namespace))?.status?.containerStatuses?.[0]?.restartCount ?? 0;
}
