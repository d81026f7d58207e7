/** What a store holds, read from where this runs: `list`, `describe` and `check` with `--from`. */
import type { BackupRecord, StoreConfig } from '../../src/contract';
import type { CheckCommandOptions } from '../cli/records';
import { check } from '../commands/check';
import { readIdentities } from '../config';
import { storeOf } from '../dump/record';
import { StillpointError } from '../errors';
import { formatChecked } from '../output/dumps';
import { recordPath } from '../output/records';
import type { RecordFilter, Registry } from '../ports';
import { StoreRegistry } from '../registry/store';
import { storeAt } from '../storage/location';
import { storeFor } from './dump';
import { typedFile } from './typed-files';
import type { World } from './world';

/** The records beside the dumps of the store that a person names. */
export async function storeRecords(location: string, world: World): Promise<Registry> {
  return new StoreRegistry(await storeFor(storeAt(location), world), world);
}

/** Which backup is checked, and where its record is. */
export interface Checked {
  readonly registry: Registry;
  readonly name: string;
  readonly where: RecordFilter;
}

/** Checks a dump in the store that was named, else in the one that its record names. */
export async function checkHandler(
  { registry, name, where }: Checked,
  { from, identityFile, output }: CheckCommandOptions,
  world: World,
): Promise<string> {
  const configOf = (record: BackupRecord): StoreConfig => {
    const config = from === undefined ? storeOf(record) : storeAt(from);
    if (config !== undefined) return config;
    throw new StillpointError('usage-invalid', `the record of backup ${recordPath(record)} names no store`, {
      hint: 'name it: --from s3://bucket/prefix',
    });
  };
  const context = {
    ...world,
    registry,
    openStore: (record: BackupRecord) => storeFor(configOf(record), world),
    readIdentities: () => typedFile(() => readIdentities(identityFile === undefined ? {} : { identityFile })),
  };
  return formatChecked(await check(context, name, where), output);
}
