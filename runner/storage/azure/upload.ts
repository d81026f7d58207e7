/**
 * Uploads to Azure: blocks, each with its MD5, which Azure checks; then the list of them, which makes the blob at once. Blocks that
 * no list names cost nothing under any name, and are gone after a week.
 */
import { createHash } from 'node:crypto';
import type { BlockBlobClient } from '@azure/storage-blob';
import { StillpointError } from '../../errors';
import { type Asked, unconfirmed } from '../failures';
import type { PutOptions, StoreChecksum } from '../object-store';
import type { PartLimits } from '../part-sizes';
import { type Part, sendParts } from '../parts';
import type { Retrying } from '../retrying';
import type { AzureSettings } from './client';
import { translate } from './failures';

/** https://learn.microsoft.com/azure/storage/blobs/scalability-targets */
const LIMITS: PartLimits = { parts: 50_000, partBytes: 4000 * 1024 ** 2 };

export interface AzureTarget {
  readonly blob: BlockBlobClient;
  readonly retrying: Retrying;
  readonly settings: AzureSettings;
  readonly shown: string;
  readonly store: string;
  /** No other upload has it: their blocks may lie beside. */
  readonly id: string;
}

interface Uploaded {
  readonly bytes: number;
  readonly parts: number;
  readonly checksum: StoreChecksum;
}

export async function upload(
  target: AzureTarget,
  content: AsyncIterable<Uint8Array>,
  options: PutOptions,
): Promise<Uploaded> {
  const whole = createHash('md5');
  const { bytes, parts } = await sendParts(content, {
    limits: LIMITS,
    expectedBytes: options.expectedBytes,
    signal: options.signal,
    see: (part) => void whole.update(part.bytes),
    send: (part, signal) => block(target, part, signal),
  });
  const md5 = whole.digest();
  await commit(target, parts, md5, options);
  return { bytes, parts: parts.length, checksum: { algorithm: 'md5', value: md5.toString('base64') } };
}

async function block(
  { blob, retrying, id, shown, store }: AzureTarget,
  part: Part,
  signal: AbortSignal,
): Promise<string> {
  const asked: Asked = { what: `upload block ${part.number} of ${shown} to`, store };
  // All of one length, as Azure demands.
  const name = Buffer.from(`${id}-${String(part.number).padStart(6, '0')}`).toString('base64');
  const md5 = createHash('md5').update(part.bytes).digest();
  // An empty block is none: an empty blob has an empty list.
  if (part.bytes.length === 0) return '';
  await retrying.run({ signal, bytes: part.bytes.length }, async (limited) => {
    const answer = await blob
      .stageBlock(name, part.bytes, part.bytes.length, { abortSignal: limited, transactionalContentMD5: md5 })
      .catch((error: unknown) => {
        throw translate(asked, error);
      });
    // Azure refuses a block that does not fit its MD5, and says the MD5 of what it has; the emulator does not say it.
    if (answer.contentMD5 === undefined) return;
    const confirmed = Buffer.from(answer.contentMD5);
    if (!confirmed.equals(md5)) throw unconfirmed(asked, md5.toString('base64'), confirmed.toString('base64'));
  });
  return name;
}

async function commit(
  { blob, retrying, settings, shown, store }: AzureTarget,
  blocks: readonly string[],
  md5: Buffer,
  { signal, replace, contentType }: PutOptions,
): Promise<void> {
  const asked: Asked = { what: `complete the upload of ${shown} to`, store };
  const names = blocks.filter((name) => name !== '');
  await retrying.run({ signal }, async (limited, tries) => {
    try {
      await blob.commitBlockList(names, {
        abortSignal: limited,
        conditions: replace === true ? {} : { ifNoneMatch: '*' },
        blobHTTPHeaders: {
          blobContentMD5: md5,
          ...(contentType === undefined ? {} : { blobContentType: contentType }),
        },
        ...(settings.tier === undefined ? {} : { tier: settings.tier }),
      });
    } catch (error) {
      const translated = translate(asked, error);
      const taken = translated instanceof StillpointError && translated.code === 'object-exists';
      if (!taken || tries === 0) throw translated;
      // A try before this one may have had its effect, and lost its answer.
      const found = await blob.getProperties({ abortSignal: limited }).catch(() => undefined);
      if (found?.contentMD5 === undefined || !Buffer.from(found.contentMD5).equals(md5)) throw translated;
    }
  });
}
