/** Real folders that archives are made of and come back into; what is archived is read in pieces that fit to nothing. */
import { mkdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ExtractOptions, extract } from '../../../runner/archive/extract';
import { type ManifestLine, manifestLines, manifestText } from '../../../runner/archive/manifest';
import { entriesOf } from '../../../runner/archive/tar-reader';
import { type ArchivedVolume, archiveOf } from '../../../runner/archive/tar-writer';
import { QuietLog } from '../../support/quiet-log';

export interface Archived {
  readonly bytes: Buffer;
  readonly lines: readonly ManifestLine[];
}

/** In pieces that fit to nothing. */
async function* pieces(bytes: Buffer, size = 1000): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function* told(lines: readonly ManifestLine[]): AsyncGenerator<ManifestLine, void> {
  yield* manifestLines(pieces(Buffer.from(lines.map(manifestText).join('')), 77));
}

/** A folder with `from` and `to` in it: the first is what is archived, and an archive comes back into the second. */
export class ArchiveFolder implements AsyncDisposable {
  private constructor(readonly top: string) {}

  static async create(): Promise<ArchiveFolder> {
    const top = await mkdtemp(join(tmpdir(), 'archive-'));
    mkdirSync(join(top, 'from'));
    mkdirSync(join(top, 'to'));
    return new ArchiveFolder(top);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.top, { recursive: true, force: true });
  }

  /** The second is of a folder that is not there. */
  volumes(): readonly ArchivedVolume[] {
    return [
      { name: 'data', path: join(this.top, 'from'), mountPath: '/var/lib/postgresql/data' },
      { name: 'wal', path: join(this.top, 'none'), mountPath: '/wal' },
    ];
  }

  async archive(of: readonly ArchivedVolume[] = this.volumes().slice(0, 1)): Promise<Archived> {
    const lines: ManifestLine[] = [];
    const chunks: Uint8Array[] = [];
    for await (const chunk of archiveOf(of, (line) => lines.push(line))) chunks.push(chunk);
    return { bytes: Buffer.concat(chunks), lines };
  }

  async emptied(name: string): Promise<void> {
    await rm(join(this.top, name), { recursive: true });
    mkdirSync(join(this.top, name));
  }

  back({ bytes, lines }: Archived): Promise<unknown> {
    return extract(entriesOf(pieces(bytes)), told(lines), this.#into());
  }

  #into(): ExtractOptions {
    return {
      volumes: [
        { name: 'data', path: join(this.top, 'to'), mountPath: '/var/lib/postgresql/data' },
        { name: 'wal', path: join(this.top, 'none'), mountPath: '/wal' },
      ],
      log: new QuietLog(),
      signal: new AbortController().signal,
      user: { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 },
    };
  }
}
