/** PackStream, as far as a driver and the stand-in need it: null, booleans, numbers, texts, lists, maps and structures. [doc: Bolt, PackStream] */

/** A structure: a message, or a value that is none of the others. */
export interface Structure {
  readonly tag: number;
  readonly fields: readonly unknown[];
}

/** Writes a structure with its fields. Whole numbers are those that a 32-bit one holds; others are floats. */
export function packed({ tag, fields }: Structure): Buffer {
  return Buffer.concat([Buffer.from([0xb0 + fields.length, tag]), ...fields.map(pack)]);
}

function pack(value: unknown): Buffer {
  if (value === null || value === undefined) return Buffer.from([0xc0]);
  if (typeof value === 'boolean') return Buffer.from([value ? 0xc3 : 0xc2]);
  if (typeof value === 'number') return packNumber(value);
  if (typeof value === 'string') {
    const bytes = Buffer.from(value);
    return Buffer.concat([head(bytes.length, 0x80, 0xd0), bytes]);
  }
  if (Array.isArray(value)) return Buffer.concat([head(value.length, 0x90, 0xd4), ...value.map(pack)]);
  const entries = Object.entries(value);
  return Buffer.concat([
    head(entries.length, 0xa0, 0xd8),
    ...entries.flatMap(([key, each]) => [pack(key), pack(each)]),
  ]);
}

function packNumber(value: number): Buffer {
  if (Number.isInteger(value) && Math.abs(value) < 2 ** 31) {
    const whole = Buffer.alloc(5, 0xca);
    whole.writeInt32BE(value, 1);
    return whole;
  }
  const float = Buffer.alloc(9, 0xc1);
  float.writeDoubleBE(value, 1);
  return float;
}

function head(length: number, tiny: number, large: number): Buffer {
  if (length < 16) return Buffer.from([tiny + length]);
  const bytes = Buffer.alloc(5, large + 2);
  bytes.writeUInt32BE(length, 1);
  return bytes;
}

/** Reads the structure that a message is. */
export function unpacked(bytes: Buffer): Structure {
  return new Reader(bytes).value() as Structure;
}

class Reader {
  #at = 0;

  constructor(readonly bytes: Buffer) {}

  value(): unknown {
    const marker = this.#uint(1);
    const low = marker & 0x0f;
    if (marker < 0x80) return marker;
    if (marker >= 0xf0) return marker - 0x100;
    switch (marker & 0xf0) {
      case 0x80:
        return this.#text(low);
      case 0x90:
        return this.#list(low);
      case 0xa0:
        return this.#map(low);
      case 0xb0:
        return { tag: this.#uint(1), fields: this.#list(low) };
    }
    return this.#marked(marker);
  }

  #marked(marker: number): unknown {
    const known: Readonly<Record<number, () => unknown>> = {
      192: () => null,
      193: () => this.bytes.readDoubleBE(this.#skip(8)),
      194: () => false,
      195: () => true,
      200: () => this.bytes.readInt8(this.#skip(1)),
      201: () => this.bytes.readInt16BE(this.#skip(2)),
      202: () => this.bytes.readInt32BE(this.#skip(4)),
      203: () => Number(this.bytes.readBigInt64BE(this.#skip(8))),
      208: () => this.#text(this.#uint(1)),
      209: () => this.#text(this.#uint(2)),
      210: () => this.#text(this.#uint(4)),
      212: () => this.#list(this.#uint(1)),
      213: () => this.#list(this.#uint(2)),
      214: () => this.#list(this.#uint(4)),
      216: () => this.#map(this.#uint(1)),
      217: () => this.#map(this.#uint(2)),
      218: () => this.#map(this.#uint(4)),
    };
    const read = known[marker];
    if (read === undefined) throw new Error(`a marker that is not known: 0x${marker.toString(16)}`);
    return read();
  }

  #skip(length: number): number {
    this.#at += length;
    return this.#at - length;
  }

  #uint(length: number): number {
    return this.bytes.readUIntBE(this.#skip(length), length);
  }

  #text(length: number): string {
    const from = this.#skip(length);
    return this.bytes.toString('utf8', from, from + length);
  }

  #list(length: number): readonly unknown[] {
    return Array.from({ length }, () => this.value());
  }

  #map(length: number): Readonly<Record<string, unknown>> {
    return Object.fromEntries(Array.from({ length }, () => [this.value(), this.value()]));
  }
}
