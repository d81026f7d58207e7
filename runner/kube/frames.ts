/** The frames of a WebSocket, as a server sends them (RFC 6455, section 5): unmasked. Pure. */

export interface Frame {
  readonly kind: 'message' | 'close' | 'ping' | 'other';
  readonly payload: Buffer;
}

const OPCODES = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;
const FINAL = 0x80;
const MASKED = 0x80;

/** Puts frames together out of what comes. A message in several frames comes as one. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);
  #parts: Buffer[] = [];

  read(chunk: Buffer): readonly Frame[] {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    const frames: Frame[] = [];
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      const frame = this.#whole(next);
      if (frame !== undefined) frames.push(frame);
    }
    return frames;
  }

  #next(): { readonly first: number; readonly payload: Buffer } | undefined {
    const header = headerOf(this.#rest);
    if (header === undefined || this.#rest.length < header.size + header.length) return undefined;
    const payload = this.#rest.subarray(header.size, header.size + header.length);
    const first = this.#rest[0] ?? 0;
    this.#rest = this.#rest.subarray(header.size + header.length);
    return { first, payload };
  }

  #whole({ first, payload }: { readonly first: number; readonly payload: Buffer }): Frame | undefined {
    const opcode = first & 0x0f;
    if (opcode === OPCODES.close) return { kind: 'close', payload };
    if (opcode === OPCODES.ping) return { kind: 'ping', payload };
    if (opcode > OPCODES.binary) return { kind: 'other', payload };
    this.#parts.push(payload);
    if ((first & FINAL) === 0) return undefined;
    const whole = Buffer.concat(this.#parts);
    this.#parts = [];
    return { kind: 'message', payload: whole };
  }
}

function headerOf(bytes: Buffer): { readonly size: number; readonly length: number } | undefined {
  if (bytes.length < 2) return undefined;
  const short = (bytes[1] ?? 0) & 0x7f;
  if (short < 126) return { size: 2, length: short };
  if (short === 126) return bytes.length < 4 ? undefined : { size: 4, length: bytes.readUInt16BE(2) };
  return bytes.length < 10 ? undefined : { size: 10, length: Number(bytes.readBigUInt64BE(2)) };
}

/** The answer to a ping. What a client sends is masked; a mask of zeros leaves it as it is. */
export function pong(payload: Buffer): Buffer {
  const short = payload.subarray(0, 125);
  return Buffer.concat([Buffer.from([FINAL | OPCODES.pong, MASKED | short.length, 0, 0, 0, 0]), short]);
}
