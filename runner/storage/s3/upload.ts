/** Uploads to S3: small ones in one request, others in parts. Each request carries its checksum, and the store confirms it. */
import { crc32 } from 'node:zlib';
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { StillpointError } from '../../errors';
import type { Clock } from '../../ports';
import { type Asked, unconfirmed } from '../failures';
import type { PutOptions, StoreChecksum } from '../object-store';
import type { PartLimits } from '../part-sizes';
import { type Part, sendParts } from '../parts';
import type { Retrying } from '../retrying';
import type { S3Settings } from './client';
import { asS3Writes, checksumOf, confirmed } from './confirmed';
import { translate } from './failures';

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html */
const LIMITS: PartLimits = { parts: 10_000, partBytes: 5 * 1024 ** 3 };

/** Where an upload goes, and by what. */
export interface S3Target {
  readonly client: S3Client;
  readonly settings: S3Settings;
  readonly retrying: Retrying;
  readonly clock: Clock;
  /** The key as S3 has it. */
  readonly key: string;
  /** The key as the caller has it, for messages. */
  readonly shown: string;
  readonly store: string;
}

/** What the store has confirmed. */
interface Uploaded {
  readonly bytes: number;
  readonly parts: number;
  readonly checksum: StoreChecksum;
  readonly version?: string;
  readonly lockedUntil?: string;
}

/** A part that was taken, or the whole object; what a bucket calls its version, where it keeps any. */
type Confirmed = CompletedPart & { readonly VersionId?: string };

/** One upload. */
export class S3Upload {
  readonly #target: S3Target;
  readonly #options: PutOptions;
  /** One instant for the whole upload, in whole seconds: S3 is told no others, and what is on record is what it keeps. */
  readonly #lockedUntil: Date | undefined;
  #whole = 0;
  /** Whether the store may be taking a part yet of which nobody awaits the answer. */
  #cutOff = false;
  /** Begun when it is known that one request is not enough. */
  #multipart: Promise<{ readonly id: string; readonly ofWhole: boolean }> | undefined;

  constructor(target: S3Target, options: PutOptions) {
    this.#target = target;
    this.#options = options;
    const { clock, settings } = target;
    if (settings.lock !== undefined) {
      const seconds = Math.ceil(clock.now().getTime() / 1000) + settings.lock.days * 24 * 3600;
      this.#lockedUntil = new Date(seconds * 1000);
    }
  }

  async run(content: AsyncIterable<Uint8Array>): Promise<Uploaded> {
    try {
      const sent = await sendParts(content, {
        limits: LIMITS,
        expectedBytes: this.#options.expectedBytes,
        signal: this.#options.signal,
        see: ({ bytes }) => {
          this.#whole = crc32(bytes, this.#whole);
        },
        send: (part, signal): Promise<Confirmed> =>
          part.number === 1 && part.last ? this.#single(part, signal) : this.#part(part, signal),
      });
      const [first] = sent.parts;
      if (this.#multipart === undefined && first !== undefined) {
        return { bytes: sent.bytes, parts: 1, checksum: checksumOf(first), ...this.#kept(first) };
      }
      return await this.#complete(sent.parts, sent.bytes);
    } catch (error) {
      await this.#abort();
      throw error;
    }
  }

  /** Begins it, and gives it up at once: what is refused of either is thrown. */
  async probe(): Promise<void> {
    const { signal } = this.#options;
    const { id } = await this.#begin(signal);
    // Also when it is told to stop meanwhile.
    using limit = this.#target.retrying.undoing();
    await this.#target.retrying
      .run(limit, (limited) => this.#drop(id, limited))
      .catch((error: unknown) => {
        // An earlier try has lost its answer.
        if (!(error instanceof StillpointError && error.code === 'object-not-found')) throw error;
      });
  }

  async #single({ bytes }: Part, signal: AbortSignal): Promise<Confirmed> {
    const { client, retrying } = this.#target;
    const asked = this.#asked('upload');
    const ChecksumCRC32 = asS3Writes(crc32(bytes));
    const command = new PutObjectCommand({
      ...this.#object(),
      ...this.#unlessThere(),
      Body: bytes,
      ContentLength: bytes.length,
      ChecksumCRC32,
    });
    const answer = await retrying.run({ signal, bytes: bytes.length }, async (limited, tries) => {
      return await client
        .send(command, { abortSignal: limited })
        .catch((error) => this.#unlessOurs(asked, error, tries, { bytes: bytes.length, ChecksumCRC32 }, limited));
    });
    return await this.#orRemoved(() => ({
      ...confirmed(asked, bytes, ChecksumCRC32, answer),
      ...(answer.VersionId === undefined ? {} : { VersionId: answer.VersionId }),
    }));
  }

  /** What is there under the name is not what was sent. */
  async #orRemoved<T>(confirm: () => T): Promise<T> {
    try {
      return confirm();
    } catch (error) {
      const { client, retrying } = this.#target;
      using limit = retrying.undoing();
      const command = new DeleteObjectCommand(this.#place());
      await client.send(command, { abortSignal: limit.signal }).catch(() => undefined);
      throw error;
    }
  }

  async #part({ number, bytes }: Part, signal: AbortSignal): Promise<CompletedPart> {
    const { client, retrying } = this.#target;
    this.#multipart ??= this.#begin(signal);
    const { id } = await this.#multipart;
    const asked = this.#asked(`upload part ${number} of`);
    const ChecksumCRC32 = asS3Writes(crc32(bytes));
    const command = new UploadPartCommand({
      ...this.#place(),
      UploadId: id,
      PartNumber: number,
      Body: bytes,
      ContentLength: bytes.length,
      ChecksumCRC32,
    });
    return await retrying.run({ signal, bytes: bytes.length }, async (limited) => {
      const answer = await client.send(command, { abortSignal: limited }).catch((error: unknown) => {
        this.#cutOff ||= limited.aborted;
        throw translate(asked, error);
      });
      return { ...confirmed(asked, bytes, ChecksumCRC32, answer), PartNumber: number };
    });
  }

  async #begin(signal: AbortSignal): Promise<{ readonly id: string; readonly ofWhole: boolean }> {
    const { client, retrying } = this.#target;
    const asked = this.#asked('begin the upload of');
    return await retrying.run({ signal }, async (limited) => {
      const command = new CreateMultipartUploadCommand({
        ...this.#object(),
        ChecksumAlgorithm: 'CRC32',
        ChecksumType: 'FULL_OBJECT',
      });
      const answer = await client.send(command, { abortSignal: limited }).catch((error: unknown) => {
        throw translate(asked, error);
      });
      if (answer.UploadId === undefined) throw unconfirmed(asked, 'an upload', undefined);
      return { id: answer.UploadId, ofWhole: answer.ChecksumType === 'FULL_OBJECT' };
    });
  }

  async #complete(parts: readonly CompletedPart[], bytes: number): Promise<Uploaded> {
    const { client, retrying } = this.#target;
    const { signal } = this.#options;
    const upload = await this.#multipart;
    if (upload === undefined) throw new StillpointError('internal', 'an upload was completed that was never begun');
    const asked = this.#asked('complete the upload of');
    const whole: { ChecksumCRC32?: string } = upload.ofWhole ? { ChecksumCRC32: asS3Writes(this.#whole) } : {};
    const command = new CompleteMultipartUploadCommand({
      ...this.#place(),
      ...this.#unlessThere(),
      ...whole,
      ...(upload.ofWhole ? { ChecksumType: 'FULL_OBJECT' as const } : {}),
      UploadId: upload.id,
      MultipartUpload: { Parts: [...parts] },
    });
    // Putting thousands of parts together takes the store its time.
    const answer = await retrying.run({ signal, bytes: parts.length * 64 * 1024 }, async (limited, tries) => {
      return await client
        .send(command, { abortSignal: limited })
        .catch((error: unknown) => this.#unlessOurs(asked, error, tries, { bytes, ...whole }, limited));
    });
    return await this.#orRemoved(() => {
      const { ETag, ChecksumCRC32 } = answer;
      if (ChecksumCRC32 !== undefined && whole.ChecksumCRC32 !== undefined && ChecksumCRC32 !== whole.ChecksumCRC32) {
        throw unconfirmed(asked, whole.ChecksumCRC32, ChecksumCRC32);
      }
      return { bytes, parts: parts.length, checksum: checksumOf({ ETag, ...whole }), ...this.#kept(answer) };
    });
  }

  /** An earlier try may have had its effect, and lost its answer: then the object that is there is this one. */
  async #unlessOurs(
    asked: Asked,
    error: unknown,
    tries: number,
    sent: { readonly bytes: number; readonly ChecksumCRC32?: string },
    signal: AbortSignal,
  ): Promise<Confirmed> {
    const translated = translate(asked, error);
    const mayBeOurs =
      tries > 0 &&
      translated instanceof StillpointError &&
      (translated.code === 'object-exists' || translated.code === 'object-not-found');
    if (!mayBeOurs) throw translated;
    const { client } = this.#target;
    const found = await client
      .send(new HeadObjectCommand({ ...this.#place(), ChecksumMode: 'ENABLED' }), { abortSignal: signal })
      .catch(() => undefined);
    const same = sent.ChecksumCRC32 !== undefined && found?.ChecksumCRC32 === sent.ChecksumCRC32;
    if (!same || found.ContentLength !== sent.bytes) throw translated;
    const { ETag, ChecksumCRC32, VersionId } = found;
    return { ETag, ChecksumCRC32, ...(VersionId === undefined ? {} : { VersionId }) };
  }

  /** Parts that nobody completes cost money for ever, and no listing of objects shows them. */
  async #abort(): Promise<void> {
    const upload = await this.#multipart?.catch(() => undefined);
    if (upload === undefined) return;
    // `abandon` removes what stays nevertheless.
    await this.#target.retrying.takeBack({ cutOff: this.#cutOff }, (signal) => this.#drop(upload.id, signal));
  }

  async #drop(UploadId: string, abortSignal: AbortSignal): Promise<void> {
    const asked = this.#asked('abort the upload of');
    const command = new AbortMultipartUploadCommand({ ...this.#place(), UploadId });
    await this.#target.client.send(command, { abortSignal }).catch((error: unknown) => {
      throw translate(asked, error);
    });
  }

  #place(): { readonly Bucket: string; readonly Key: string } {
    return { Bucket: this.#target.settings.bucket, Key: this.#target.key };
  }

  /** What the bucket says of how it keeps the object. */
  #kept({ VersionId }: { readonly VersionId?: string | undefined }): Pick<Uploaded, 'version' | 'lockedUntil'> {
    const until = this.#lockedUntil;
    return {
      ...(VersionId === undefined || VersionId === 'null' ? {} : { version: VersionId }),
      ...(until === undefined ? {} : { lockedUntil: until.toISOString() }),
    };
  }

  #unlessThere(): { readonly IfNoneMatch?: string } {
    return this.#options.replace === true ? {} : { IfNoneMatch: '*' };
  }

  /** What an object has from its beginning. */
  #object() {
    const { storageClass, encryption, kmsKeyId, lock } = this.#target.settings;
    const { contentType } = this.#options;
    return {
      ...this.#place(),
      ...(contentType === undefined ? {} : { ContentType: contentType }),
      // The names are the service's own, and there are more than the SDK knows.
      ...(storageClass === undefined ? {} : { StorageClass: storageClass as 'STANDARD' }),
      ...(encryption === undefined ? {} : { ServerSideEncryption: encryption }),
      ...(kmsKeyId === undefined ? {} : { SSEKMSKeyId: kmsKeyId }),
      ...(lock === undefined ? {} : { ObjectLockMode: lock.mode, ObjectLockRetainUntilDate: this.#lockedUntil }),
    };
  }

  #asked(what: string): Asked {
    return { what: `${what} ${this.#target.shown} to`, store: this.#target.store };
  }
}
