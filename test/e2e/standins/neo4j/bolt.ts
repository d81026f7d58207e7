/**
 * Bolt 5.4 of a server, as far as the driver's statements outside of explicit transactions need it: each message answered after the one
 * before it, all rows in one go, no routing, no notifications, no TLS. [doc: Bolt protocol]
 */
import { createServer, type Server, type Socket } from 'node:net';
import { packed, type Structure, unpacked } from './packstream';

/** What a statement asks for. */
export interface Statement {
  readonly text: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  /** Undefined where the client names none. */
  readonly database: string | undefined;
  /** Whether the session of it is one for reading. */
  readonly reads: boolean;
}

/** What a client is told, by the codes of the real one. */
export class BoltFailure extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

export interface BoltHandlers {
  /** Throws {@link BoltFailure} for a login that is not right. */
  logIn(principal: unknown, credentials: unknown): void;
  run(statement: Statement): Promise<readonly Readonly<Record<string, unknown>>[]>;
}

const [SUCCESS, RECORD, IGNORED, FAILURE] = [0x70, 0x71, 0x7e, 0x7f];
const NAMES: Readonly<Record<number, string>> = {
  1: 'hello',
  2: 'goodbye',
  15: 'reset',
  16: 'run',
  47: 'discard',
  63: 'pull',
  84: 'telemetry',
  106: 'logon',
  107: 'logoff',
};

/** A server that speaks it. */
export function boltServer(handlers: BoltHandlers): Server {
  return createServer((socket) => {
    socket.on('error', () => socket.destroy());
    void new Talk(socket, handlers).run().catch(() => socket.destroy());
  });
}

class Talk {
  #rows: readonly Readonly<Record<string, unknown>>[] = [];
  #failed = false;
  #bookmark = 0;

  constructor(
    readonly socket: Socket,
    readonly handlers: BoltHandlers,
  ) {}

  async run(): Promise<void> {
    let rest: Buffer = Buffer.alloc(0);
    let greeted = false;
    let message: Buffer[] = [];
    for await (const chunk of this.socket as AsyncIterable<Buffer>) {
      rest = Buffer.concat([rest, chunk]);
      if (!greeted && rest.length >= 20) {
        // Whatever it offers: every driver of today has 5.4 within a range that it names.
        this.socket.write(Buffer.from([0, 0, 4, 5]));
        rest = rest.subarray(20);
        greeted = true;
      }
      while (greeted && rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
        const length = rest.readUInt16BE(0);
        if (length > 0) message.push(rest.subarray(2, 2 + length));
        rest = rest.subarray(2 + length);
        if (length > 0 || message.length === 0) continue;
        await this.#answer(unpacked(Buffer.concat(message)));
        message = [];
      }
    }
  }

  async #answer({ tag, fields }: Structure): Promise<void> {
    const name = NAMES[tag] ?? `0x${tag.toString(16)}`;
    if (name === 'goodbye') return void this.socket.end();
    if (name === 'reset') this.#failed = false;
    if (this.#failed) return this.#send(IGNORED);
    try {
      const meta = await this.#done(name, fields);
      this.#send(SUCCESS, meta);
    } catch (thrown) {
      this.#failed = true;
      const code = thrown instanceof BoltFailure ? thrown.code : 'Neo.DatabaseError.General.UnknownError';
      this.#send(FAILURE, { code, message: (thrown as Error).message });
    }
  }

  async #done(name: string, [first, second, third]: readonly unknown[]): Promise<object> {
    switch (name) {
      case 'hello':
        return { server: 'Neo4j/2025.10.0', connection_id: 'bolt-1', hints: {} };
      case 'logon': {
        const { principal, credentials } = first as Record<string, unknown>;
        this.handlers.logIn(principal, credentials);
        return {};
      }
      case 'run': {
        const { db, mode } = (third ?? {}) as { db?: string; mode?: string };
        const parameters = second as Statement['parameters'];
        this.#rows = await this.handlers.run({
          text: String(first),
          parameters,
          database: db,
          reads: mode === 'r',
        });
        return { fields: Object.keys(this.#rows[0] ?? {}), t_first: 0 };
      }
      case 'pull': {
        const fields = Object.keys(this.#rows[0] ?? {});
        for (const row of this.#rows)
          this.#send(
            RECORD,
            fields.map((field) => row[field]),
          );
        this.#bookmark += 1;
        return { bookmark: `FB:stand-in:${this.#bookmark}`, has_more: false, type: 'r', db: 'system' };
      }
      case 'discard':
      case 'reset':
      case 'telemetry':
      case 'logoff':
        return {};
    }
    throw new BoltFailure('Neo.ClientError.Request.Invalid', `the stand-in does not know the message ${name}`);
  }

  /** In one chunk after the other, and an empty one. */
  #send(tag: number, ...fields: readonly unknown[]): void {
    let rest = packed({ tag, fields });
    while (rest.length > 0) {
      const chunk = rest.subarray(0, 0xffff);
      const length = Buffer.alloc(2);
      length.writeUInt16BE(chunk.length);
      this.socket.write(Buffer.concat([length, chunk]));
      rest = rest.subarray(chunk.length);
    }
    this.socket.write(Buffer.alloc(2));
  }
}
