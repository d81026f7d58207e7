/** `restore-dump`: what the Job of a restore from a dump runs. */
import type { DumpRestoreConfig } from '../../src/contract';
import type { ConfigOption } from '../cli/backup';
import { restoreDump } from '../commands/restore-dump';
import type { RestoreDumpContext } from '../commands/restore-dump-context';
import { restoreOnline, saidOf } from '../commands/restore-online';
import { readIdentities, readRestoreConfig, readTarget } from '../config';
import { recordPath } from '../output/records';
import { storeFor } from './dump';
import { restorePlace } from './restore-place';
import { engineNamed, type World } from './world';

/** Restores the dump that the config names, into the server that it names. */
export async function restoreDumpHandler({ config: file, ...options }: ConfigOption, world: World): Promise<string> {
  const config = await readRestoreConfig(file);
  const context: RestoreDumpContext = {
    ...(await restorePlace(config, options, world)),
    config,
    engineNamed,
    readTarget: (engine) => readTarget({ ...config.spec, engine }),
    openStore: () => storeFor(config.spec.storage, world),
    readIdentities: () => readIdentities(config.spec),
    root: '/',
    environment: world.env,
    clock: world.clock,
    log: world.log,
    signal: world.signal,
  };
  const { online } = config.spec;
  if (online !== undefined) {
    const { record, restored } = await restoreOnline(context, online);
    return `backup ${recordPath(record)} restored into ${record.engine} ${restored.version}${at(config)} as ${saidOf(restored)}\n`;
  }
  const { record, into } = await restoreDump(context);
  const what =
    'file' in into ? `the file ${into.file}` : `${into.flavour ?? record.engine} ${into.version}${at(config)}`;
  return `backup ${recordPath(record)} restored into ${what}\n`;
}

function at({ spec: { connection } }: DumpRestoreConfig): string {
  return connection === undefined ? '' : ` at ${connection.host}:${connection.port}`;
}
