/** How a dump is made smaller on its way, and back. */
import type { Transform } from 'node:stream';
import { createGunzip, createGzip, createZstdCompress, createZstdDecompress } from 'node:zlib';
import type { CompressionName } from '../../src/contract';

interface Codec {
  /** What the name of a file ends with. */
  readonly extension: string;
  readonly compress?: () => Transform;
  readonly decompress?: () => Transform;
}

/** Every way to compress, by its name in records. Levels are the tools' own defaults. */
export const COMPRESSIONS = {
  zstd: { extension: '.zst', compress: () => createZstdCompress(), decompress: () => createZstdDecompress() },
  gzip: { extension: '.gz', compress: () => createGzip(), decompress: () => createGunzip() },
  none: { extension: '' },
} as const satisfies Record<CompressionName, Codec>;

/** One of {@link COMPRESSIONS}. */
export type Compression = CompressionName;

/** The codec of a name. */
export const codecOf = (compression: Compression): Codec => COMPRESSIONS[compression];
