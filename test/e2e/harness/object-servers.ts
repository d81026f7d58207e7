/** Servers of object storage, each in a pod: S3 by versitygw, and emulators or small versions of the others. */
import { apply, KINDS, read } from './cluster';
import { addressOf, isReady } from './pods';
import { runnerProcess } from './runner-process';
import { eventually } from './wait';

/** A running server. */
export interface ObjectServer {
  /** Of the pod itself: the machine that runs the tests is on the pods' network. */
  readonly url: URL;
  /** Ends it without a word. The kubelet starts it again, with what it had on disk. */
  kill(): Promise<void>;
}

/** What a server's pod is made of. */
export interface ServerPod {
  readonly name: string;
  readonly image: string;
  readonly port: number;
  readonly data: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts a server and waits until its port answers. */
export async function startObjectServer(namespace: string, pod: ServerPod): Promise<ObjectServer> {
  const { name, image, port, data, args, env = {} } = pod;
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
            volumeMounts: [{ name: 'data', mountPath: data }],
          },
        ],
        volumes: [{ name: 'data', emptyDir: {} }],
      },
    } as never,
  ]);
  await eventually(`${name} is ready`, () => isReady(name, namespace), { seconds: 120 });
  const address = await addressOf(name, namespace);
  return {
    url: new URL(`http://${address}:${port}`),
    kill: async () => {
      const restarts = await restartsOf(name, namespace);
      (await runnerProcess(name, namespace)).kill();
      await eventually(
        `${name} is back`,
        async () => (await restartsOf(name, namespace)) > restarts && (await isReady(name, namespace)),
        { seconds: 120 },
      );
    },
  };
}

async function restartsOf(pod: string, namespace: string): Promise<number> {
  return (await read(KINDS.pod, pod, namespace))?.status?.containerStatuses?.[0]?.restartCount ?? 0;
}
