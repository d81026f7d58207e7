import { describe, expect, it } from 'vitest';
import { FrameReader, pong } from '../../../runner/kube/frames';

/** A frame as a server sends it. */
function frame(first: number, payload: Buffer): Buffer {
  const { length } = payload;
  if (length < 126) return Buffer.concat([Buffer.from([first, length]), payload]);
  if (length < 65_536) return Buffer.concat([Buffer.from([first, 126, length >> 8, length & 255]), payload]);
  const long = Buffer.alloc(8);
  long.writeBigUInt64BE(BigInt(length));
  return Buffer.concat([Buffer.from([first, 127]), long, payload]);
}

const text = (read: readonly { readonly kind: string; readonly payload: Buffer }[]): readonly string[] =>
  read.map(({ kind, payload }) => `${kind} ${payload.length > 20 ? payload.length : payload.toString()}`);

describe('the frames of a WebSocket', () => {
  it.each([
    ['short', 5],
    ['of 16 bits', 40_000],
    ['of 64 bits', 70_000],
  ])('are read whatever their length says it in: %s', (_, length) => {
    const read = new FrameReader().read(frame(0x82, Buffer.alloc(length, 'x')));
    expect(read.map(({ kind, payload }) => [kind, payload.length])).toEqual([['message', length]]);
  });

  it('come in pieces and several at once', () => {
    const bytes = Buffer.concat([frame(0x82, Buffer.from('one')), frame(0x82, Buffer.from('two'))]);
    const reader = new FrameReader();
    const read = [...bytes].flatMap((byte) => reader.read(Buffer.from([byte])));
    expect(text(read)).toEqual(['message one', 'message two']);
  });

  it('of one message are put together, with what is sent in between', () => {
    const bytes = [
      frame(0x02, Buffer.from('on')),
      frame(0x89, Buffer.from('?')),
      frame(0x80, Buffer.from('e')),
      frame(0x88, Buffer.alloc(0)),
    ];
    expect(text(new FrameReader().read(Buffer.concat(bytes)))).toEqual(['ping ?', 'message one', 'close ']);
  });

  it('a ping is answered with what it carries, masked', () => {
    expect([...pong(Buffer.from('ab'))]).toEqual([0x8a, 0x82, 0, 0, 0, 0, 97, 98]);
  });
});
