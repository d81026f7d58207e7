/** What S3 says of what it was sent. */
import { createHash } from 'node:crypto';
import type { CompletedPart } from '@aws-sdk/client-s3';
import { type Asked, unconfirmed } from '../failures';
import type { StoreChecksum } from '../object-store';

/** CRC-32 as S3 writes it. */
export function asS3Writes(checksum: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(checksum);
  return bytes.toString('base64');
}

/** What the store confirms: its own CRC-32 of what it has or, of a server that knows none, the MD5 that its ETag is. */
export function confirmed(
  asked: Asked,
  bytes: Buffer,
  sent: string,
  { ETag, ChecksumCRC32 }: CompletedPart,
): CompletedPart {
  if (ChecksumCRC32 !== undefined) {
    if (ChecksumCRC32 !== sent) throw unconfirmed(asked, sent, ChecksumCRC32);
    return { ETag, ChecksumCRC32 };
  }
  const etag = ETag?.replaceAll('"', '');
  const md5 = createHash('md5').update(bytes).digest('hex');
  if (etag !== md5) throw unconfirmed(asked, md5, etag);
  return { ETag };
}

export function checksumOf({ ETag, ChecksumCRC32 }: Pick<CompletedPart, 'ETag' | 'ChecksumCRC32'>): StoreChecksum {
  if (ChecksumCRC32 !== undefined) return { algorithm: 'crc32', value: ChecksumCRC32 };
  return { algorithm: 'etag', value: ETag?.replaceAll('"', '') ?? '' };
}
