/** All that can be known before a dump begins: `run` stops at the first error in it, `doctor` prints it. */
import type { BackupRecord, DumpConfig } from '../../src/contract';
import { type Engine, type EngineSession, NO_TARGET, type Target } from '../engine';
import { StillpointError } from '../errors';
import { refuseOnErrors } from '../findings';
import { checkRecipients, type Recipient } from '../pipe/age-keys';
import type { Clock, Finding, Log, Platform } from '../ports';
import type { ObjectStore } from '../storage/object-store';
import type { EngineDump, StoredDatabase, StoredFacts } from '../tools/tool';
import { lookAtFiles } from './files';
import { imageFindings } from './image';
import { dumpFile, dumpFolder, keysOf, OWNER_FILE, RECORD_FILE } from './keys';
import type { DumpFacts } from './record';
import { storeFindings } from './store-findings';
import { toolVersion } from './tool-version';

export interface DumpCheckContext {
  readonly config: DumpConfig;
  readonly namespace: string;
  readonly engine: Engine;
  readonly readTarget: () => Promise<Target>;
  readonly openStore: () => Promise<ObjectStore>;
  readonly platform: Pick<Platform, 'checkAccess' | 'clusterUid'>;
  /** Where the image has its files. */
  readonly root: string;
  /** What the engine's tools find: their own image's. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** How the objects of a dump are called. */
export interface DumpKeys {
  readonly owner: string;
  readonly dump: string;
  readonly record: string;
}

/** What is going to be used, and what was found of it. */
export interface DumpChecked {
  readonly findings: readonly Finding[];
  readonly facts: DumpFacts;
  readonly tools: EngineDump;
  readonly target: Target;
  readonly store: ObjectStore;
  readonly keys: DumpKeys;
  /** Of files of a server that does not run: which they are, and what the tool says of them. */
  readonly files?: StoredDatabase & { readonly facts: StoredFacts };
}

/** Runs every check. Throws where it cannot go on: no server, no tool, no store. */
export async function checkDump(
  context: DumpCheckContext,
  record: Pick<BackupRecord, 'namespace' | 'database' | 'id' | 'plannedObjects'>,
): Promise<DumpChecked> {
  const { config, engine, platform, signal } = context;
  const tools = toolsOf(engine);
  if (config.spec.dump.databases !== undefined && tools.several !== true) {
    throw new StillpointError('config-invalid', `the tool of ${engine.name} dumps all databases of a server, or one`, {
      hint: 'leave databases out',
    });
  }
  const access = await platform.checkAccess();
  // First of all: in another kind of image no name may resolve, and no tool start, and neither would say why.
  refuseOnErrors(await imageFindings(context.root));
  const { target, server, others, tool, files } =
    config.spec.dump.files === undefined ? await ofServer(context, tools) : await ofFiles(context, tools);
  const { only, databases, compression, layout, recipients } = config.spec.dump;
  const unseen = await tools.unseen?.(target, { database: only, databases, flavour: server.flavour }, signal);
  if (recipients !== undefined) await checkRecipients(recipients);
  const folder = dumpFolder(layout, record);
  const left = keysOf(record);
  const keys = {
    owner: `${folder}${OWNER_FILE}`,
    dump: dumpKey((attempt) => {
      const file = { extension: tools.extension ?? 'sql', compression, encrypted: recipients !== undefined, attempt };
      return `${folder}${dumpFile(layout, file)}`;
    }, left),
    record: `${folder}${RECORD_FILE}`,
  };
  const store = await context.openStore();
  const findings = [
    ...access,
    ...partFindings(othersInWords(others), engine.name),
    ...unfitFindings(tools.unfit(tool, { version: '', ...server }), tool),
    ...(unseen ?? []),
    ...encryptionFindings(recipients),
    ...(await storeFindings(store, folder, left, signal)),
  ];
  const warnings = findings.filter(({ severity }) => severity === 'warning').map(({ message }) => message);
  return {
    findings,
    facts: { server, tool, storeName: store.name, warnings },
    tools,
    target,
    store,
    keys,
    ...(files === undefined ? {} : { files }),
  };
}

interface Source extends Pick<DumpChecked, 'target' | 'files'> {
  readonly server: DumpFacts['server'];
  /** How many other servers hold the rest of the data. */
  readonly others: number;
  readonly tool: string;
}

async function ofServer(context: DumpCheckContext, tools: EngineDump): Promise<Source> {
  const { engine, log, signal } = context;
  const target = await context.readTarget();
  refuseOnErrors(partFindings(await tools.partOf?.(target, signal), engine.name));
  const { server, others } = await serverOf(engine, target, { log, signal, ofOneServer: tools.ofOneServer === true });
  return { target, server, others, tool: await toolVersion(tools, server.flavour, context) };
}

/** Of files nobody asks a server: they are as old as the copy, and their server's version is not among them. */
async function ofFiles(context: DumpCheckContext, tools: EngineDump): Promise<Source> {
  const { files: named, only: database } = context.config.spec.dump;
  if (named === undefined || database === undefined || tools.files === undefined) {
    throw new StillpointError('config-invalid', `no tool of ${context.engine.name} is known that dumps files`, {
      hint: 'name its host: it is dumped while it runs',
    });
  }
  const tool = await toolVersion(tools, undefined, context);
  const unfit = tools.unfit(tool, { version: '' });
  refuseOnErrors(unfit === undefined ? [] : unfitFindings(unfit, tool));
  const what = { directory: named.directory, database, toolSays: tool };
  const files = { ...what, facts: await lookAtFiles(tools.files, what, context) };
  return { target: NO_TARGET, server: { identity: {} }, others: 0, tool, files };
}

/** The tools of an engine. Throws config-invalid where none are known. */
export function toolsOf({ name, dump }: Engine): EngineDump {
  if (dump !== undefined) return dump;
  throw new StillpointError('config-invalid', `no tool of ${name} is known that writes dumps`, {
    hint: 'back it up by snapshots of its volumes',
  });
}

/** What the server says of itself, and how many others hold the rest of its data. A dump holds nothing, so the session ends at once. */
async function serverOf(
  engine: Engine,
  target: Target,
  { log, signal, ofOneServer }: { readonly log: Log; readonly signal: AbortSignal; readonly ofOneServer: boolean },
): Promise<{ readonly server: EngineSession['server']; readonly others: number }> {
  const session = await engine.open(target, log, signal);
  try {
    const others = (ofOneServer ? await session.others?.(signal) : undefined) ?? [];
    await Promise.all(others.map((other) => other.close()));
    return { server: session.server, others: others.length };
  } finally {
    await session.close();
  }
}

function othersInWords(others: number): string | undefined {
  return others === 0 ? undefined : `the server holds a part of the data, and ${others} others hold the rest`;
}

/** A part that looks like the whole is worse than none. */
function partFindings(message: string | undefined, engine: string): readonly Finding[] {
  if (message === undefined) return [];
  return [
    {
      severity: 'error',
      code: 'server-unsafe',
      subject: 'the server',
      message,
      hint: `the tool of ${engine} dumps one server: back all of them up by snapshots`,
    },
  ];
}

function unfitFindings(unfit: string | undefined, tool: string): readonly Finding[] {
  const subject = "the engine's tool";
  if (unfit === undefined) return [{ severity: 'ok', code: 'ok', subject, message: tool }];
  return [
    {
      severity: 'error',
      code: 'tool-version',
      subject,
      message: unfit,
      hint: 'name the image that the server runs in serverImage, or a later one',
    },
  ];
}

/** Who can open it is worth a look before there are hundreds of them. */
function encryptionFindings(recipients: readonly Recipient[] | undefined): readonly Finding[] {
  if (recipients === undefined) return [];
  return [{ severity: 'ok', code: 'ok', subject: 'the encryption', message: `for ${recipients.join(', ')}` }];
}

/** A name that no earlier attempt of the same Job has left something under which it could not remove. */
function dumpKey(of: (attempt: number) => string, left: readonly string[]): string {
  for (let attempt = 1; ; attempt++) {
    if (!left.includes(of(attempt))) return of(attempt);
  }
}
