/** MongoDB's wire protocol as far as stand-ins speak it: messages of one document. [doc: MongoDB Wire Protocol] */
import type { Socket } from 'node:net';
import { BSON, type Document } from 'mongodb';

const OP_REPLY = 1;
const OP_QUERY = 2004;
export const OP_MSG = 2013;

export interface Frame {
  readonly id: number;
  readonly answers: number;
  readonly code: number;
  readonly bytes: Buffer;
}

/** What a server refuses, in its own words. */
export class Refused extends Error {
  constructor(
    readonly code: number,
    readonly codeName: string,
    message: string,
    /** What else stands in the answer; it may be without its code. */
    readonly more: Document = { code, codeName },
  ) {
    super(message);
  }
}

/** Cuts a stream into messages. */
export async function* framesOf(socket: Socket): AsyncGenerator<Frame> {
  let rest = Buffer.alloc(0);
  for await (const chunk of socket) {
    rest = Buffer.concat([rest, chunk as Buffer]);
    while (rest.length >= 16 && rest.length >= rest.readInt32LE(0)) {
      const bytes = rest.subarray(0, rest.readInt32LE(0));
      rest = rest.subarray(bytes.length);
      yield { id: bytes.readInt32LE(4), answers: bytes.readInt32LE(8), code: bytes.readInt32LE(12), bytes };
    }
  }
}

/** Where the one document of a message begins that is its command, or its answer; undefined where it has none that we read. */
function startOf({ code, bytes }: Frame): number | undefined {
  if (code === OP_MSG) return bytes[20] === 0 ? 21 : undefined;
  if (code === OP_REPLY) return 36;
  if (code !== OP_QUERY) return undefined;
  // Flags, the name of a collection, two numbers.
  return bytes.indexOf(0, 20) + 1 + 8;
}

/** The document of a message; `promoteValues` as the driver has it. */
export function documentOf(frame: Frame, promoteValues = false): Document {
  const start = startOf(frame);
  if (start === undefined) return {};
  return BSON.deserialize(frame.bytes.subarray(start, start + frame.bytes.readInt32LE(start)), { promoteValues });
}

/** The same message with another document in the place of its own. */
export function withDocument(frame: Frame, document: Document): Buffer {
  const start = startOf(frame) ?? 0;
  const bytes = Buffer.concat([frame.bytes.subarray(0, start), BSON.serialize(document)]);
  bytes.writeInt32LE(bytes.length, 0);
  // Its checksum is of the bytes as they were.
  if (frame.code === OP_MSG) bytes.writeUInt32LE(bytes.readUInt32LE(16) & ~1, 16);
  return bytes;
}

/** The answer to a message, in its own kind. */
export function messageTo({ id, code }: Frame, document: Document): Buffer {
  const body = BSON.serialize(document);
  const head = Buffer.alloc(code === OP_QUERY ? 36 : 21);
  head.writeInt32LE(head.length + body.length, 0);
  head.writeInt32LE(id, 8);
  head.writeInt32LE(code === OP_QUERY ? OP_REPLY : OP_MSG, 12);
  if (code === OP_QUERY) head.writeInt32LE(1, 32);
  return Buffer.concat([head, body]);
}

/** The answer to a command, or to one that was refused. */
export async function answerTo(frame: Frame, work: () => Promise<Document>): Promise<Buffer> {
  try {
    return messageTo(frame, { ...(await work()), ok: 1 });
  } catch (error) {
    const { code = 1, codeName = 'InternalError', message, more = { code, codeName } } = error as Refused;
    return messageTo(frame, { ...more, ok: 0, errmsg: message });
  }
}
