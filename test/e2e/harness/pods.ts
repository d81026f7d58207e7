/** What every test asks of a pod with a server. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { KINDS, read } from './cluster';
import { eventually } from './wait';

/** Whether a pod says that it is ready. */
export async function isReady(pod: string, namespace: string): Promise<boolean> {
  const found = await read(KINDS.pod, pod, namespace);
  return (found?.status?.conditions ?? []).some(
    ({ type, status }: { type: string; status: string }) => type === 'Ready' && status === 'True',
  );
}

/** The address of this machine on the network of the pods: by that they reach it. */
export async function ownAddress(pod: URL): Promise<string> {
  const socket = connect(Number(pod.port), pod.hostname);
  try {
    await once(socket, 'connect');
    if (socket.localAddress === undefined) throw new Error(`no way to ${pod.host}`);
    return socket.localAddress;
  } finally {
    socket.destroy();
  }
}

/** The address of a pod, as soon as it has one. */
export async function addressOf(pod: string, namespace: string): Promise<string> {
  return await eventually(`${pod} has an address`, async () => (await read(KINDS.pod, pod, namespace))?.status?.podIP);
}
