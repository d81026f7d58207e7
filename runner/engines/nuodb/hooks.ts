/**
 * The backup hooks of the Helm chart, a program beside the storage manager: what it is asked, and what its answers mean.
 * [doc: nuodb/nuodb-helm-charts, files/backup_hooks.py, and nuodb-sidecar after it]
 *
 * It has no question "which backup is at work?". But it refuses to end one of another id than the current, without force, and
 * says which is the current one: so it is asked to end one that nobody has begun.
 */
import { request as httpRequest } from 'node:http';
import { isIPv6 } from 'node:net';
import { StillpointError } from '../../errors';

/** The id that is asked about: no backup has it. */
const NOBODY = 'stillpoint-asks';

/** Answers are a few words: more is not read. */
const MAX_ANSWER = 64 * 1024;

export interface HookAnswer {
  readonly status: number;
  /** What it says of a refusal; empty of a success. */
  readonly message: string;
}

/** Who answers at one address. */
export class BackupHooks {
  constructor(
    readonly host: string,
    readonly port: number,
  ) {}

  get where(): string {
    return `${isIPv6(this.host) ? `[${this.host}]` : this.host}:${this.port}`;
  }

  /** Begins a backup; it ends by itself after so many seconds (those of before 1.2 do not know that, and never end it). */
  begin(id: string, timeoutSeconds: number, signal: AbortSignal): Promise<HookAnswer> {
    // A number: "30s" is refused. [tried: nuodb-standin with STRICT_TIMEOUT]
    return this.#post(`/pre-backup/${id}`, { timeout: timeoutSeconds }, signal);
  }

  end(id: string, signal: AbortSignal): Promise<HookAnswer> {
    return this.#post(`/post-backup/${id}`, undefined, signal);
  }

  /** The backup that is at work; undefined where none is. Throws server-unsafe when what answers is something else. */
  async current(signal: AbortSignal): Promise<string | undefined> {
    const { status, message } = await this.end(NOBODY, signal);
    const current = currentIn(message);
    if (status === 400 && current !== undefined) return current === NONE ? undefined : current;
    throw new StillpointError(
      'server-unsafe',
      `what answers at ${this.where} are not the backup hooks of NuoDB: POST /post-backup was answered with ${status} (${message})`,
      {
        hint: 'set database.backupHooks.enabled in the values of the Helm chart, and the port of the policy to theirs',
      },
    );
  }

  async #post(path: string, body: object | undefined, signal: AbortSignal): Promise<HookAnswer> {
    const text = body === undefined ? '' : JSON.stringify(body);
    return await new Promise((resolve, reject) => {
      const fail = (cause: NodeJS.ErrnoException): void =>
        reject(signal.reason instanceof StillpointError ? signal.reason : unreachable(this.where, cause));
      // A connection of its own: one that was kept may have been closed at the other end.
      const asked = httpRequest(
        {
          host: this.host,
          port: this.port,
          path,
          method: 'POST',
          agent: false,
          signal,
          headers: { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) },
        },
        (answer) => {
          let said = '';
          answer.setEncoding('utf8');
          answer.on('data', (part: string) => {
            if (said.length < MAX_ANSWER) said += part;
          });
          answer.on('error', fail);
          answer.on('end', () => resolve({ status: answer.statusCode ?? 0, message: messageIn(said) }));
        },
      );
      asked.on('error', fail);
      asked.end(text);
    });
  }
}

/** What it calls no backup. */
const NONE = 'None';

/** The id in `Unexpected backup ID: current=20261126020000, supplied=…`. Pure. */
export function currentIn(message: string): string | undefined {
  return /^Unexpected backup ID: current=(.*), supplied=/s.exec(message)?.[1];
}

/** The message of an answer, on one line; of one that is no JSON, its beginning. Pure. */
export function messageIn(text: string): string {
  let message: unknown;
  try {
    message = (JSON.parse(text) as { message?: unknown } | null)?.message ?? '';
  } catch {
    message = text;
  }
  return (typeof message === 'string' ? message : JSON.stringify(message)).trim().replaceAll(/\s+/g, ' ').slice(0, 300);
}

function unreachable(where: string, cause: NodeJS.ErrnoException): StillpointError {
  return new StillpointError(
    'server-unreachable',
    `no answer from the backup hooks at ${where} (${cause.code ?? cause.message})`,
    {
      hint: 'set database.backupHooks.enabled in the values of the Helm chart, and look whether no network policy is in the way',
      cause,
    },
  );
}
