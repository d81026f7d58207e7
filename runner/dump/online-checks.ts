/** All that can be known before an online backup begins: `run` stops at the first error in it, `doctor` prints it. */
import type { BackupRecord, DumpConfig } from '../../src/contract';
import type { Engine } from '../engine';
import { asStillpointError, StillpointError } from '../errors';
import { refuseOnErrors } from '../findings';
import { checkRecipients } from '../pipe/age-keys';
import type { Finding } from '../ports';
import type { ObjectStore } from '../storage/object-store';
import type { EngineOnline, FoundDatabases } from '../tools/online';
import type { DumpCheckContext } from './checks';
import { imageFindings } from './image';
import { dumpFolder, keysOf, OWNER_FILE, RECORD_FILE } from './keys';
import { type OnlinePlace, placeOf } from './online-place';
import type { DumpFacts } from './record';
import { storeFindings } from './store-findings';
import { saidBy } from './tool-version';

/** What is going to be used, and what was found of it. */
export interface OnlineChecked {
  readonly findings: readonly Finding[];
  readonly facts: DumpFacts;
  readonly online: EngineOnline;
  readonly wanted: NonNullable<DumpConfig['spec']['dump']['online']>;
  readonly found: FoundDatabases;
  readonly files: OnlinePlace;
  readonly store: ObjectStore;
  /** What the keys of this backup begin with. */
  readonly folder: string;
  readonly keys: { readonly owner: string; readonly record: string };
}

/** Runs every check. Throws where it cannot go on: no server, no tool, no volume. */
export async function checkOnline(
  context: DumpCheckContext,
  record: Pick<BackupRecord, 'namespace' | 'database' | 'id' | 'plannedObjects'>,
): Promise<OnlineChecked> {
  const { config, engine, platform, log, signal } = context;
  const { online, wanted } = onlineOf(engine, config);
  const files = placeOf(config.spec, context.openStore);
  const { recipients } = config.spec.dump;
  if (recipients !== undefined) await checkRecipients(recipients);
  const access = await platform.checkAccess();
  refuseOnErrors(await imageFindings(context.root));
  const target = await context.readTarget();
  const session = await engine.open(target, log, signal);
  const { server } = session;
  await session.close();
  const tool = await saidBy(online.versionOf(), context);
  const { databases = [], aliases = [] } = wanted;
  const found = await online.find(target, { databases, aliases }, log, signal);
  const store = await context.openStore();
  const folder = dumpFolder('stillpoint', record);
  const room: Finding = {
    severity: 'ok',
    code: 'ok',
    subject: files.scratch ?? store.name,
    message: `${await files.freeBytes()} bytes are free`,
  };
  const free = await storeFindings(store, folder, keysOf(record), signal);
  const findings = [...access, ...toolFindings(online, tool), ...foundFindings(found), ...free, room];
  const warnings = [...findings, ...found.findings]
    .filter(({ severity }) => severity === 'warning')
    .map(({ subject, message }) => `${subject}: ${message}`);
  return {
    findings,
    facts: { server, tool, storeName: store.name, warnings },
    online,
    wanted,
    found,
    files,
    store,
    folder,
    keys: { owner: `${folder}${OWNER_FILE}`, record: `${folder}${RECORD_FILE}` },
  };
}

function onlineOf(
  { name, online }: Engine,
  { spec }: DumpConfig,
): { readonly online: EngineOnline; readonly wanted: OnlineChecked['wanted'] } {
  const wanted = spec.dump.online;
  if (online !== undefined && wanted !== undefined) return { online, wanted };
  throw new StillpointError('config-invalid', `no tool of ${name} is known that takes online backups as files`, {
    hint: 'leave online out of the job config: take dumps, or snapshots of the volumes',
  });
}

function toolFindings(online: EngineOnline, tool: string): readonly Finding[] {
  const subject = "the engine's tool";
  try {
    const unfit = online.unfit(tool);
    if (unfit === undefined) return [{ severity: 'ok', code: 'ok', subject, message: tool }];
    return [{ severity: 'error', code: 'tool-version', subject, message: unfit, hint: 'name an image of 5 or later' }];
  } catch (thrown) {
    const { code, message, hint } = asStillpointError(thrown);
    return [{ severity: 'error', code, subject, message, hint }];
  }
}

/** What one database lacks keeps no other from its backup; where there is none at all, there is nothing to take. */
function foundFindings({ selected, findings }: FoundDatabases): readonly Finding[] {
  const names = selected.map(({ name }) => name).join(', ');
  if (selected.length > 0) return [{ severity: 'ok', code: 'ok', subject: 'the databases', message: names }];
  const [first] = findings;
  if (first !== undefined) return [{ ...first, severity: 'error', message: `${first.subject}: ${first.message}` }];
  return [
    {
      severity: 'error',
      code: 'database-not-found',
      subject: 'the databases',
      message: 'the policy names no database and no alias',
      hint: 'name some in databases or aliases',
    },
  ];
}
