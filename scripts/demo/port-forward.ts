import { once } from 'node:events';
import { createServer } from 'node:net';
import { KubeConfig, PortForward } from '@kubernetes/client-node';

/** A port of this machine that leads to a pod's: pods of most clusters are not reached in any other way. */
export interface Forwarding extends AsyncDisposable {
  readonly port: number;
}

/** Forwards connections, as `kubectl port-forward` does. */
export async function forward(namespace: string, pod: string, podPort: number): Promise<Forwarding> {
  const config = new KubeConfig();
  config.loadFromDefault();
  const forwarder = new PortForward(config);
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    forwarder.portForward(namespace, pod, [podPort], socket, null, socket).catch((error: unknown) => {
      socket.destroy(error instanceof Error ? error : new Error(String(error)));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    port: address.port,
    [Symbol.asyncDispose]: async () => void server.close(),
  };
}
