/**
 * Commands in pods, over the WebSocket that the API server and the kubelet have for it: the subprotocol v5.channel.k8s.io,
 * and v4 before Kubernetes 1.30. Nothing is sent but the request, so of RFC 6455 only what a server sends is read.
 */
import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import type { Duplex } from 'node:stream';
import { StillpointError } from '../errors';
import type { CommandEnd } from '../ports';
import type { KubeAccess } from './access';
import { type KubeStatus, type RequestName, refused, unreachable } from './errors';
import { FrameReader, pong } from './frames';
import { parseJson, readText } from './transport';

/** The channels of the subprotocol: a message begins with the number of its own. */
const CHANNELS = { stdout: 1, stderr: 2, status: 3 } as const;

/** So much of what a command writes is kept. */
const SAID_MAX = 300;

/** Runs a command to its end. Rejects with the signal's reason when that comes first. */
export async function exec(
  access: KubeAccess,
  named: RequestName,
  path: string,
  signal: AbortSignal,
): Promise<CommandEnd> {
  const socket = await upgrade(access, named, path, signal);
  const stop = (): void => void socket.destroy();
  signal.addEventListener('abort', stop, { once: true });
  try {
    return endOf(named, await messagesOf(socket));
  } catch (thrown) {
    signal.throwIfAborted();
    throw thrown instanceof StillpointError ? thrown : unreachable(named, access.server, thrown);
  } finally {
    signal.removeEventListener('abort', stop);
    socket.destroy();
  }
}

async function upgrade(access: KubeAccess, named: RequestName, path: string, signal: AbortSignal): Promise<Duplex> {
  signal.throwIfAborted();
  const { agent, headers } = await access.options();
  const { protocol, hostname, port, pathname } = access.server;
  const options: RequestOptions = {
    protocol,
    hostname: hostname.replace(/^\[|\]$/g, ''),
    port,
    path: pathname.replace(/\/$/, '') + path,
    agent,
    signal,
    headers: {
      ...(headers as Record<string, string>),
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': randomBytes(16).toString('base64'),
      'Sec-WebSocket-Protocol': 'v5.channel.k8s.io, v4.channel.k8s.io',
      'User-Agent': 'stillpoint',
    },
  };
  return await new Promise((resolve, reject) => {
    const outgoing = (protocol === 'http:' ? httpRequest : httpsRequest)(options);
    outgoing.on('upgrade', (_response, socket, head) => {
      socket.unshift(head);
      resolve(socket);
    });
    outgoing.on('response', (response) => void answered(named, response).then(reject, reject));
    outgoing.on('error', (thrown) =>
      reject(signal.aborted ? signal.reason : unreachable(named, access.server, thrown)),
    );
    outgoing.end();
  });
}

/** An answer instead of a stream of messages is a refusal. */
async function answered(named: RequestName, response: IncomingMessage): Promise<Error> {
  const text = await readText(response);
  try {
    return refused(named, response.statusCode ?? 0, parseJson(text) as KubeStatus);
  } catch {
    return refused(named, response.statusCode ?? 0, { message: text });
  }
}

/** Everything up to the status: the end of the output, and how the command ended. */
interface Messages {
  readonly said: string;
  readonly status: ExecStatus | undefined;
}

interface ExecStatus extends Omit<KubeStatus, 'details'> {
  readonly status?: string;
  readonly details?: {
    readonly causes?: readonly { readonly reason?: string; readonly message?: string }[];
  };
}

async function messagesOf(socket: Duplex): Promise<Messages> {
  const frames = new FrameReader();
  const said: Record<number, string> = {};
  for await (const chunk of socket) {
    for (const frame of frames.read(chunk as Buffer)) {
      if (frame.kind === 'ping') socket.write(pong(frame.payload));
      if (frame.kind === 'close') return { said: lastWords(said), status: undefined };
      if (frame.kind !== 'message' || frame.payload.length === 0) continue;
      const channel = frame.payload[0] ?? 0;
      const text = frame.payload.subarray(1).toString('utf8');
      if (channel === CHANNELS.status) return { said: lastWords(said), status: parseJson(text) as ExecStatus };
      said[channel] = `${said[channel] ?? ''}${text}`.slice(-SAID_MAX * 2);
    }
  }
  return { said: lastWords(said), status: undefined };
}

/** What went wrong stands in the errors; where there are none, in the output. */
function lastWords(said: Readonly<Record<number, string>>): string {
  const text = said[CHANNELS.stderr]?.trim() || said[CHANNELS.stdout]?.trim() || '';
  return text.replace(/\s+/g, ' ').slice(-SAID_MAX);
}

function endOf(named: RequestName, { said, status }: Messages): CommandEnd {
  if (status === undefined) {
    throw new StillpointError(
      'kubernetes-unreachable',
      `the connection to ${named.resource} of ${named.name} ended before its command`,
    );
  }
  if (status.status === 'Success') return { exitCode: 0, said };
  const exitCode = status.details?.causes?.find(({ reason }) => reason === 'ExitCode')?.message;
  if (exitCode !== undefined) return { exitCode: Number(exitCode), said };
  throw new StillpointError('hook-failed', `a command could not be run in pod ${named.name}: ${status.message ?? ''}`, {
    hint: 'is the program in the image of that container, and on its PATH?',
  });
}
