/** What the runner of a copy tells the worker that reads the files, and what that answers. Pure. */
import { parse, stringify } from 'yaml';
import { StillpointError } from '../errors';
import type { Passed } from '../pipe/pack';
import { shortened } from '../restore/outcome';
import type { StoredObject } from '../storage/object-store';
import type { CountedVolume } from './store-files';

/** One copy, for a worker. */
export interface CopyOrder {
  /** The backup's id and the Job's UID: of another order nothing is answered. */
  readonly turn: string;
  readonly archive: string;
  readonly manifest: string;
  readonly volumes: readonly {
    readonly name: string;
    /** Where the worker has it mounted, among the folders of the volumes: under its name when left out. */
    readonly folder?: string | undefined;
    readonly mountPath: string;
    readonly subPath?: string | undefined;
  }[];
  /** About as much as the last copy came to. */
  readonly expected?: { readonly bytes: number; readonly plainBytes: number } | undefined;
}

type Stored = Passed & {
  readonly stored: Pick<StoredObject, 'key' | 'location' | 'bytes' | 'checksum' | 'version' | 'lockedUntil'>;
};

/** What a worker has stored. */
export interface CopyAnswer {
  readonly turn: string;
  readonly archive: Stored;
  readonly manifest: Stored;
  readonly volumes: readonly CountedVolume[];
  readonly skipped: readonly string[];
}

export function orderText(order: CopyOrder): string {
  return stringify(order, { lineWidth: 0 });
}

/** Reads an order. Throws config-invalid when it is none. */
export function orderIn(text: string): CopyOrder {
  const read = parse(text) as Partial<CopyOrder> | null;
  const { turn, archive, manifest, volumes } = read ?? {};
  const known = [turn, archive, manifest].every((each) => typeof each === 'string') && Array.isArray(volumes);
  if (known) return read as CopyOrder;
  throw new StillpointError('config-invalid', 'the order of the worker is not one that this version reads', {
    hint: 'runner and worker have to be of one image',
  });
}

/** An answer in fewer words: what was left out is told in short. */
export function shorterAnswer(answer: CopyAnswer): readonly CopyAnswer[] {
  const { skipped } = answer;
  return [
    { ...answer, skipped: skipped.map((line) => shortened(line, 120)) },
    {
      ...answer,
      skipped: skipped.length === 0 ? [] : [`${skipped.length} or more are not in the copy: its manifest names them`],
    },
  ];
}
