/** `restore --from`: a dump out of a store that a person names, by the tools of the machine that this runs on; no cluster is asked. */
import { resolve } from 'node:path';
import { API_VERSION, DUMP_RESTORE_KIND, type DumpRestoreConfig, type EngineName } from '../../src/contract';
import { timeLimit } from '../abort';
import type { RestoreCommandOptions } from '../cli/restore';
import { restoreDump } from '../commands/restore-dump';
import { readIdentities } from '../config';
import { unmarked } from '../dump/source';
import type { Target } from '../engine';
import { StillpointError } from '../errors';
import { findRecord } from '../find-record';
import { LogEvents } from '../local/events';
import { formatRestoredAsFile, formatRestoredIntoServer } from '../output/dumps';
import { recordPath } from '../output/records';
import { storeAt } from '../storage/location';
import { ownEnvironment } from '../tools/own-environment';
import { storeFor } from './dump';
import { givenFlag } from './flags';
import { namespaceOf } from './namespace';
import { storeRecords } from './store-records';
import { typedFile } from './typed-files';
import { typedTarget } from './typed-target';
import { engineNamed, type World } from './world';

type FromStore = RestoreCommandOptions & { readonly from: string };

/** Restores the dump by the record that lies beside it: into a server, or as the file that a new one takes. */
export async function restoreFromStore(name: string | undefined, options: FromStore, world: World): Promise<string> {
  const { clock, log, env } = world;
  const goal = goalOf(options);
  if (name === undefined)
    throw unsaid('restore needs the name of a backup', 'stillpoint list --from shows which there are');
  using limit = timeLimit(
    clock,
    options.timeout,
    () => new StillpointError('restore-failed', `the restore was not done after ${options.timeout / 1000} s`),
  );
  const within = { ...world, signal: AbortSignal.any([world.signal, limit.signal]) };
  const registry = await storeRecords(options.from, within);
  const { record } = await findRecord(registry, name, { namespace: namespaceOf(options) });
  const { identityFile } = options;
  const storage = storeAt(options.from);
  const { namespace, database, id } = record;
  const spec = { backup: { namespace, database, id }, storage, ...goal, registry: {} };
  const { into } = await restoreDump({
    config: { apiVersion: API_VERSION, kind: DUMP_RESTORE_KIND, metadata: { name: 'terminal' }, spec },
    registry,
    uses: { begin: async (stored) => unmarked(stored.record) },
    engineNamed,
    readTarget: (engine) => targetOf(options, engine),
    openStore: () => storeFor(storage, within),
    readIdentities: () => typedFile(() => readIdentities(identityFile === undefined ? {} : { identityFile })),
    events: new LogEvents(log),
    // The tools are those of the machine that Node itself was installed on: nothing was brought into an image.
    root: undefined,
    environment: ownEnvironment(env),
    clock,
    log,
    signal: within.signal,
  });
  const backup = recordPath(record);
  if ('file' in into) return formatRestoredAsFile({ backup, file: into.file }, options.output);
  return formatRestoredIntoServer({ backup, host: options.host ?? '' }, options.output);
}

type Goal = Pick<DumpRestoreConfig['spec'], 'file' | 'only' | 'into' | 'checkFirst' | 'intoOccupied' | 'waitSeconds'>;

/** What it goes into, as it was typed. Throws usage-invalid. */
function goalOf(options: FromStore): Goal {
  const { claim, toNamespace, storageClass, size, start, keep, resource, undo, image } = options;
  const { inPlace, dryRun, backupFirst, oneMember, despiteControllers, credentials, identity } = options;
  const ofClusters = { claim, toNamespace, storageClass, size, start, keep, resource, undo, image, inPlace, dryRun };
  const other = givenFlag({ ...ofClusters, backupFirst, oneMember, despiteControllers, credentials, identity });
  if (other !== undefined) {
    throw unsaid(
      `${other} is of a cluster, and --from asks none`,
      'a login is --user and --password-file, an identity --identity-file',
    );
  }
  const { host, directory, user } = options;
  if ((host === undefined) === (directory === undefined)) {
    throw unsaid(
      '--from needs what the dump goes into: either --host or --directory',
      '--host is an empty server; --directory the empty data directory of one that takes a dump as a file (Redis, Valkey)',
    );
  }
  const { port, passwordFile, tls, caFile, database: only, intoDatabase: into, checkFirst, intoOccupied } = options;
  if (directory !== undefined) {
    const ofServers = { port, user, passwordFile, tls, caFile, database: only, intoDatabase: into };
    const flag = givenFlag({ ...ofServers, checkFirst, intoOccupied });
    if (flag !== undefined) throw unsaid(`${flag} is of a server, and --directory of a file`, 'leave one of them out');
    return { file: { directory: resolve(directory) } };
  }
  if (user === undefined)
    throw unsaid('--host needs the user who restores', "give --user, as --user '' where there is none");
  // Whoever types the command sees whether the server is there.
  return { only, into, checkFirst, intoOccupied, waitSeconds: 0 };
}

function unsaid(message: string, hint: string): StillpointError {
  return new StillpointError('usage-invalid', message, { hint });
}

async function targetOf(options: FromStore, engine: EngineName): Promise<Target> {
  const { host = '', user = '', ...more } = options;
  const { defaultPort } = await engineNamed(engine);
  return await typedTarget({ host, user, ...more }, defaultPort);
}
