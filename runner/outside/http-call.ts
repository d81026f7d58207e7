/** One request of a hook: only its status matters. */
import { readFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { StillpointError } from '../errors';

export interface HttpCall {
  readonly method: string;
  readonly url: string;
  /** Read anew each time: tokens are short-lived. */
  readonly bearerTokenFile: string | undefined;
  /** The certificate of the authority that the server has its own from. */
  readonly caFile: string | undefined;
}

/** The status of the answer. A redirection is not followed: it would carry the token elsewhere. */
export async function sendCall(
  { method, url, bearerTokenFile, caFile }: HttpCall,
  signal: AbortSignal,
): Promise<number> {
  const token = bearerTokenFile === undefined ? undefined : await secretIn(bearerTokenFile);
  const ca = caFile === undefined ? undefined : await secretIn(caFile);
  const headers = token === undefined ? {} : { Authorization: `Bearer ${token}` };
  const request = url.startsWith('https:') ? httpsRequest : httpRequest;
  return await new Promise((resolve, reject) => {
    // A connection of its own: one that was kept may have been closed at the other end.
    const asked = request(
      url,
      { method, headers, signal, agent: false, ...(ca === undefined ? {} : { ca }) },
      (answer) => {
        answer.resume();
        answer.on('error', () => undefined);
        resolve(answer.statusCode ?? 0);
      },
    );
    asked.on('error', (cause: NodeJS.ErrnoException) =>
      reject(signal.aborted ? signal.reason : unreachable(url, cause)),
    );
    asked.end();
  });
}

async function secretIn(file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).replace(/\r?\n$/, '');
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new StillpointError('credentials-unreadable', `the file ${file} of a hook cannot be read (${reason})`, {
      hint: 'the Secret that the hook names is missing, or lacks the key',
      cause,
    });
  }
}

function unreachable(url: string, cause: NodeJS.ErrnoException): StillpointError {
  const { origin } = new URL(url);
  return new StillpointError('hook-failed', `no answer from ${origin} (${cause.code ?? cause.message})`, {
    hint: 'has the program that the hook asks an address there, and is it up?',
    cause,
  });
}
