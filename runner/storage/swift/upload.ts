/**
 * Uploads to Swift: small ones as they are, others as segments and a manifest that lists them (a static large object),
 * which Swift checks against what it has. Segments lie beside, under a name of their own, where no listing of ours shows them.
 */
import { createHash } from 'node:crypto';
import { type Asked, answered, unconfirmed } from '../failures';
import type { PutOptions, StoreChecksum } from '../object-store';
import type { PartLimits } from '../part-sizes';
import { type Part, sendParts } from '../parts';
import type { Retrying } from '../retrying';
import { removeAll } from './removal';
import type { SwiftAccount } from './session';

/** What the names of all segments begin with. */
export const SEGMENTS = '.stillpoint-segments';
/** Swift's own limit for an object that is no large one. A manifest of manifests holds a million. */
const LIMITS: PartLimits = { parts: 1_000_000, partBytes: 5 * 1024 ** 3 };

export interface SwiftTarget {
  readonly account: SwiftAccount;
  readonly retrying: Retrying;
  readonly container: string;
  readonly key: string;
  readonly shown: string;
  readonly store: string;
  /** No other upload has it. */
  readonly id: string;
}

/** A segment as a manifest names it. */
interface Segment {
  readonly path: string;
  readonly etag: string;
  readonly size_bytes: number;
}

interface Uploaded {
  readonly bytes: number;
  readonly parts: number;
  readonly checksum: StoreChecksum;
}

export class SwiftUpload {
  readonly #target: SwiftTarget;
  readonly #options: PutOptions;
  /** Whether anything lies beside. */
  #segmented = false;
  /** Whether the store may be taking a segment yet of which nobody awaits the answer. */
  #cutOff = false;

  constructor(target: SwiftTarget, options: PutOptions) {
    this.#target = target;
    this.#options = options;
  }

  async run(content: AsyncIterable<Uint8Array>): Promise<Uploaded> {
    try {
      const { bytes, parts } = await sendParts(content, {
        // Sized as if there were ten thousand: a manifest as long as that is read in no time.
        limits: { ...LIMITS, parts: 10_000 },
        expectedBytes: this.#options.expectedBytes,
        signal: this.#options.signal,
        send: (part, signal) =>
          part.number === 1 && part.last ? this.#whole(part, signal) : this.#segment(part, signal),
      });
      const [only] = parts;
      const value = this.#segmented || only === undefined ? await this.#join(parts) : only.etag;
      return { bytes, parts: parts.length, checksum: { algorithm: this.#segmented ? 'etag' : 'md5', value } };
    } catch (error) {
      if (this.#segmented) await this.#abort();
      throw error;
    }
  }

  async #whole({ bytes }: Part, signal: AbortSignal): Promise<Segment> {
    const { key } = this.#target;
    const etag = createHash('md5').update(bytes).digest('hex');
    await this.#put(this.#asked('upload'), key, { bytes, etag, conditional: true }, signal);
    return { path: key, etag, size_bytes: bytes.length };
  }

  async #segment({ number, bytes }: Part, signal: AbortSignal): Promise<Segment> {
    const { container } = this.#target;
    this.#segmented = true;
    const name = this.#beside(String(number).padStart(8, '0'));
    const etag = createHash('md5').update(bytes).digest('hex');
    try {
      await this.#put(this.#asked(`upload segment ${number} of`), name, { bytes, etag, conditional: false }, signal);
    } catch (error) {
      this.#cutOff ||= signal.aborted;
      throw error;
    }
    return { path: `/${container}/${name}`, etag, size_bytes: bytes.length };
  }

  /** One manifest or, where they are too many for one, a manifest of manifests. */
  async #join(segments: readonly Segment[]): Promise<string> {
    const { account, container, key } = this.#target;
    const { signal } = this.#options;
    const asked = this.#asked('complete the upload of');
    const { segments: most } = await account.limits(asked, signal);
    let level = segments;
    for (let depth = 1; level.length > most; depth++) {
      const upper: Segment[] = [];
      for (let at = 0; at < level.length; at += most) {
        const part = level.slice(at, at + most);
        const name = this.#beside(`manifest-${depth}-${String(upper.length).padStart(6, '0')}`);
        const etag = await this.#manifest(asked, name, part, false);
        const size_bytes = part.reduce((sum, each) => sum + each.size_bytes, 0);
        upper.push({ path: `/${container}/${name}`, etag, size_bytes });
      }
      level = upper;
    }
    return await this.#manifest(asked, key, level, true);
  }

  async #manifest(asked: Asked, name: string, segments: readonly Segment[], conditional: boolean): Promise<string> {
    const etag = createHash('md5')
      .update(segments.map((each) => each.etag).join(''))
      .digest('hex');
    const bytes = Buffer.from(JSON.stringify(segments));
    const query = { 'multipart-manifest': 'put' };
    await this.#put(asked, name, { bytes, etag, conditional, query }, this.#options.signal);
    return etag;
  }

  /** Swift refuses what does not fit the ETag that it is told, and tells what it has. */
  async #put(
    asked: Asked,
    name: string,
    {
      bytes,
      etag,
      conditional,
      query,
    }: {
      readonly bytes: Buffer;
      readonly etag: string;
      readonly conditional: boolean;
      readonly query?: Readonly<Record<string, string>>;
    },
    signal: AbortSignal,
  ): Promise<void> {
    const { account, container, retrying, key } = this.#target;
    const { contentType, replace } = this.#options;
    const headers = {
      'content-length': String(bytes.length),
      etag,
      ...(conditional && replace !== true ? { 'if-none-match': '*' } : {}),
      ...(contentType === undefined ? {} : { 'content-type': contentType }),
    };
    const request = { method: 'PUT', path: [container, name], headers, body: bytes, query } as const;
    const answer = await account.ask(asked, request, signal, [412]);
    // A try before this one may have had its effect, and lost its answer.
    const confirmed = answer.status === 412 ? await this.#etagOf(asked, name, signal) : answer.headers.etag;
    if (unquoted(confirmed) === etag) return;
    if (answer.status === 412) throw answered(asked, { status: 412 });
    using limit = retrying.undoing();
    if (name === key) await removeAll(account, asked, container, [name], limit.signal).catch(() => undefined);
    throw unconfirmed(asked, etag, unquoted(confirmed));
  }

  async #etagOf(asked: Asked, name: string, signal: AbortSignal): Promise<string | undefined> {
    const { account, container } = this.#target;
    const found = await account.ask(asked, { method: 'HEAD', path: [container, name] }, signal, [404]);
    return found.headers.etag;
  }

  async #abort(): Promise<void> {
    const { account, retrying, container } = this.#target;
    const asked = this.#asked('abort the upload of');
    const query = { format: 'json', prefix: this.#beside(''), limit: '10000' };
    // `abandon` removes what stays nevertheless.
    await retrying.takeBack({ cutOff: this.#cutOff }, async (signal) => {
      const found = await account.ask(asked, { method: 'GET', path: [container], query }, signal);
      const names = (JSON.parse(found.text) as readonly { readonly name: string }[]).map(({ name }) => name);
      await removeAll(account, asked, container, names, signal);
    });
  }

  #beside(name: string): string {
    return `${SEGMENTS}/${this.#target.key}/${this.#target.id}/${name}`;
  }

  #asked(what: string): Asked {
    return { what: `${what} ${this.#target.shown} to`, store: this.#target.store };
  }
}

function unquoted(etag: string | undefined): string | undefined {
  return etag?.replaceAll('"', '');
}
