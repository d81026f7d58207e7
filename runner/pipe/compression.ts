/** How a dump is made smaller on its way, and back. */
import { createGunzip, createGzip } from 'node:zlib';
import type { CompressionName } from '../../src/contract';
import { type Content, through } from './stages';
import { zstdFrames } from './zstd-frames';
import { zstdPlain } from './zstd-plain';

interface Codec {
  /** What the name of a file ends with. */
  readonly extension: string;
  readonly compress: (content: Content) => Content;
  readonly decompress: (content: Content) => Content;
}

/** Every way to compress, by its name in records. Levels are the tools' own defaults. */
const COMPRESSIONS: Readonly<Record<CompressionName, Codec>> = {
  zstd: { extension: '.zst', compress: zstdFrames, decompress: zstdPlain },
  gzip: {
    extension: '.gz',
    compress: (content) => through(content, createGzip()),
    decompress: (content) => through(content, createGunzip()),
  },
  none: { extension: '', compress: (content) => content, decompress: (content) => content },
};

/** One of those that records name. */
export type Compression = CompressionName;

/** The codec of a name. */
export const codecOf = (compression: Compression): Codec => COMPRESSIONS[compression];
