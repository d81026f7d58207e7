/**
 * Uploads to Google Cloud Storage: one session each, its chunks one after the other. Nothing is under the name before the last
 * one, whose request says what the MD5 of the whole is, and the answer to it what Google has.
 * https://cloud.google.com/storage/docs/performing-resumable-uploads
 */
import { createHash, type Hash } from 'node:crypto';
import { type Asked, failure, unconfirmed } from '../failures';
import type { PutOptions, StoreChecksum } from '../object-store';
import type { PartLimits } from '../part-sizes';
import { type Part, sendParts } from '../parts';
import type { Retrying } from '../retrying';
import type { GcsRequests, GcsSettings, Resource } from './requests';

/** A session has no limit to its chunks; they grow as elsewhere, and so many of them are more than Google admits in one object (5 TiB). */
const LIMITS: PartLimits = { parts: 120_000, partBytes: 64 * 1024 ** 2 };
/** "Resume incomplete": goes on. */
const GO_ON = 308;
/** What the deletion of a session answers. */
const CLIENT_CLOSED = 499;

export interface GcsTarget {
  readonly requests: GcsRequests;
  readonly retrying: Retrying;
  readonly settings: GcsSettings;
  readonly key: string;
  readonly shown: string;
  readonly store: string;
}

interface Uploaded {
  readonly bytes: number;
  readonly parts: number;
  readonly checksum: StoreChecksum;
}

/** An answer within a session, as {@link GcsRequests.once} has it. */
type Answer = Awaited<ReturnType<GcsRequests['once']>>;

export class GcsUpload {
  readonly #target: GcsTarget;
  readonly #options: PutOptions;
  readonly #md5: Hash = createHash('md5');
  #session: Promise<URL> | undefined;
  #resource: Resource | undefined;

  constructor(target: GcsTarget, options: PutOptions) {
    this.#target = target;
    this.#options = options;
  }

  async run(content: AsyncIterable<Uint8Array>): Promise<Uploaded> {
    let value = '';
    try {
      const { bytes, parts } = await sendParts(content, {
        limits: LIMITS,
        expectedBytes: this.#options.expectedBytes,
        concurrency: 1,
        signal: this.#options.signal,
        see: (part) => {
          this.#md5.update(part.bytes);
          if (part.last) value = this.#md5.digest('base64');
        },
        send: (part, signal) => this.#chunk(part, value, signal),
      });
      await this.#confirm(value, bytes);
      return { bytes, parts: parts.length, checksum: { algorithm: 'md5', value } };
    } catch (error) {
      await this.#abort();
      throw error;
    }
  }

  async #chunk(part: Part, md5: string, signal: AbortSignal): Promise<void> {
    const { retrying } = this.#target;
    this.#session ??= this.#begin(signal);
    const session = await this.#session;
    const asked = this.#asked(part.last ? 'complete the upload of' : `upload part ${part.number} of`);
    const end = part.offset + part.bytes.length;
    let at = part.offset;
    while (this.#resource === undefined && (at < end || part.last)) {
      at = await retrying.run({ signal, bytes: part.bytes.length }, async (limited, tries) => {
        // An earlier try may have brought more than was answered.
        const from = tries === 0 ? at : await this.#reached(asked, session, limited);
        if (this.#resource !== undefined || (from >= end && !part.last)) return from;
        return await this.#send(asked, session, part, { from, md5 }, limited);
      });
    }
  }

  /** Answers how many bytes of the content there are then. */
  async #send(
    asked: Asked,
    session: URL,
    part: Part,
    { from, md5 }: { readonly from: number; readonly md5: string },
    signal: AbortSignal,
  ): Promise<number> {
    const body = part.bytes.subarray(Math.max(0, from - part.offset));
    const end = from + body.length;
    const total = part.last ? String(part.offset + part.bytes.length) : '*';
    const headers = {
      'content-length': String(body.length),
      'content-range': `bytes ${body.length === 0 ? '*' : `${from}-${end - 1}`}/${total}`,
      ...(part.last ? { 'x-goog-hash': `md5=${md5}` } : {}),
    };
    const request = { method: 'PUT', url: session, headers, body } as const;
    return this.#seen(asked, await this.#target.requests.once(asked, request, signal, [GO_ON]), end);
  }

  async #reached(asked: Asked, session: URL, signal: AbortSignal): Promise<number> {
    const headers = { 'content-length': '0', 'content-range': 'bytes */*' };
    const request = { method: 'PUT', url: session, headers } as const;
    const answer = await this.#target.requests.once(asked, request, signal, [GO_ON, 404, 410]);
    if (answer.status === 404 || answer.status === 410) {
      throw failure(
        'store-refused',
        asked,
        `the store has lost the upload of ${this.#target.shown} to ${this.#target.store}`,
      );
    }
    return this.#seen(asked, answer, 0);
  }

  #seen(asked: Asked, { status, headers, text }: Answer, complete: number): number {
    if (status !== GO_ON) {
      this.#resource = parsed(asked, text);
      return complete;
    }
    // Without a range there is nothing yet.
    const [, last] = /^bytes=0-(\d+)$/.exec(String(headers.range ?? '')) ?? [];
    return last === undefined ? 0 : Number(last) + 1;
  }

  async #begin(signal: AbortSignal): Promise<URL> {
    const { requests, key, settings } = this.#target;
    const { contentType, replace } = this.#options;
    const asked = this.#asked('begin the upload of');
    const url = requests.url(
      undefined,
      {
        uploadType: 'resumable',
        name: key,
        ifGenerationMatch: replace === true ? undefined : '0',
        kmsKeyName: settings.kmsKeyName,
      },
      true,
    );
    const body = JSON.stringify({ name: key, contentType, storageClass: settings.storageClass });
    const headers = { 'content-type': 'application/json; charset=UTF-8' };
    const answer = await requests.ask(asked, { method: 'POST', url, headers, body }, signal);
    const { location } = answer.headers;
    if (location === undefined) throw unconfirmed(asked, 'an upload', undefined);
    // By the way that was configured: a private endpoint has another name than Google gives.
    const session = new URL(location);
    return new URL(`${session.pathname}${session.search}`, url);
  }

  /** What is there under the name is this, or it is removed. */
  async #confirm(md5: string, bytes: number): Promise<void> {
    const { requests, key, retrying } = this.#target;
    const resource = this.#resource;
    const asked = this.#asked('complete the upload of');
    if (resource?.md5Hash === md5 && Number(resource.size) === bytes) return;
    using limit = retrying.undoing();
    const url = requests.url(key, { ifGenerationMatch: resource?.generation });
    if (resource?.generation !== undefined) {
      await requests.ask(asked, { method: 'DELETE', url }, limit.signal, [404]).catch(() => undefined);
    }
    throw unconfirmed(asked, md5, resource?.md5Hash);
  }

  async #abort(): Promise<void> {
    const session = await this.#session?.catch(() => undefined);
    if (session === undefined || this.#resource !== undefined) return;
    using limit = this.#target.retrying.undoing();
    const asked = this.#asked('abort the upload of');
    const request = { method: 'DELETE', url: session, headers: { 'content-length': '0' } } as const;
    // What failed before is what is told; Google forgets a session after a week.
    await this.#target.requests.ask(asked, request, limit.signal, [CLIENT_CLOSED, 404, 410]).catch(() => undefined);
  }

  #asked(what: string): Asked {
    return { what: `${what} ${this.#target.shown} to`, store: this.#target.store };
  }
}

function parsed(asked: Asked, text: string): Resource {
  try {
    return JSON.parse(text) as Resource;
  } catch (cause) {
    throw failure(
      'store-unreachable',
      asked,
      `the store ended its answer early to ${asked.what} ${asked.store}`,
      cause,
    );
  }
}
