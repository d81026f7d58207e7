/** Makes volumes of a backup, fit to start; and, when asked, shows that a server starts on them. */
import type { BackupRecord } from '../../src/contract';
import type { Engine, Inspection, PreparedFiles } from '../engine';
import { asStillpointError, StillpointError } from '../errors';
import { findRecord } from '../find-record';
import { recordPath } from '../output/records';
import type { Finding, RecordFilter, Registry, Uses } from '../ports';
import { planFolders } from '../restore/folders';
import { memberPlans, memberRecords } from '../restore/members';
import { type ClaimWishes, planClaims, type RestorePlan } from '../restore/plan';
import { type PlannedResource, planResource, type ResourceSite } from '../restore/resource';
import { assertRestorable, assertSnapshots, assertStartable } from '../restore/restorable';
import { type RestoreSite, SOCKET_DIRECTORY, type StartedServer } from '../restore/site';

/** What a restore needs of the world. */
export interface RestoreContext {
  readonly registry: Registry;
  /** The backup is marked as in use while it is restored. */
  readonly uses: Pick<Uses, 'begin'>;
  readonly site: RestoreSite;
  /** Where the custom resource of a copy is made; undefined where there are none. */
  readonly resources?: ResourceSite | undefined;
  /** The engine of a record. */
  readonly engineOf: (record: BackupRecord) => Promise<Engine>;
  /** Tells a person what happens, one line at a time. */
  readonly say: (line: string) => void;
  /** Aborts when the process is told to stop, or its time is up. */
  readonly signal: AbortSignal;
}

/** What to restore, and where. */
export interface RestoreOptions {
  /** An id or `latest`, as {@link findRecord} takes it. */
  readonly backup: string;
  readonly filter: RecordFilter;
  /** Claims in a cluster, or folders under one that is new or empty. */
  readonly into: ClaimWishes | { readonly directory: string };
  /** Start a throw-away server on the volumes and compare it with the record. */
  readonly start: boolean;
  /** Leave that server running. */
  readonly keep: boolean;
  /** Make the custom resource that the record keeps anew, under this name. */
  readonly resource?: string | undefined;
}

/** What came of a restore; `-o json` prints it as it is. */
export interface RestoreResult {
  readonly restore: string;
  readonly namespace: string;
  readonly backup: { readonly namespace: string; readonly database: string; readonly id: string };
  readonly volumes: readonly {
    readonly volume: string;
    readonly claim: string;
    readonly size?: string | undefined;
    readonly storageClass?: string | undefined;
    readonly mountPath: string;
  }[];
  /** Of a backup of one server. */
  readonly prepared?: PreparedFiles | undefined;
  readonly server?: RestoredServer['server'];
  /** Of a backup of several servers: each of them. */
  readonly members?: readonly RestoredServer[] | undefined;
  /** The custom resource of the copy, and its Secret: `restore --undo` removes them with the claims. */
  readonly resources?: readonly string[] | undefined;
  readonly warnings: readonly string[];
}

/** One server of a restore. */
export interface RestoredServer {
  /** Empty where there is one. */
  readonly member: string;
  readonly prepared: PreparedFiles;
  readonly server?:
    | {
        readonly kept: boolean;
        readonly reach: readonly string[];
        readonly recorded: Readonly<Record<string, string>>;
        readonly inspection: Inspection;
      }
    | undefined;
}

/** Restores one backup. Nothing that exists is overwritten (safety rule 12). */
export async function restore(context: RestoreContext, options: RestoreOptions): Promise<RestoreResult> {
  const { registry, site, say, uses } = context;
  if (options.keep && !options.start) {
    throw new StillpointError('usage-invalid', '--keep keeps the server that --start starts: give both');
  }

  // 1. The record: of a backup that has succeeded.
  const stored = await findRecord(registry, options.backup, options.filter);
  const { record } = stored;
  assertRestorable(record);
  assertSnapshots(record);
  if (options.start) await assertAllStartable(context, record);

  // 2. The plan: what will be made, under which names; a part for each server.
  const plan =
    'directory' in options.into ? planFolders(record, options.into.directory) : planClaims(record, options.into);
  const parts = memberPlans(plan);
  const resource = await resourceStep(context, plan, options.resource);
  say(`restore ${plan.name}: backup ${recordPath(record)} of ${record.times.started}`);

  // From here on neither a prune nor a deletion takes it away.
  await using use = await uses.begin(stored, `restore ${plan.name}`);
  const signal = AbortSignal.any([context.signal, use.lost]);
  const used: RestoreContext = { ...context, signal };

  // 3. Every check comes before anything is made.
  const warnings = (await inOrder(parts, (part) => site.check(part, signal))).flat();
  for (const { message } of warnings) say(`warning: ${message}`);
  await resource?.site.check(plan, resource.planned, signal);

  try {
    // 4. The volumes.
    for (const { claim, name, size } of plan.volumes) {
      say(
        `making ${plan.namespace === '' ? 'folder' : 'claim'} ${claim}${size === undefined ? '' : ` (${size})`} from volume ${name}`,
      );
    }
    await inOrder(parts, (part) => site.makeVolumes(part, signal));

    // 5. The files: fit to start, and detached from the original's world (safety rule 13).
    const prepared = await atOnce(parts, (part) => prepareStep(used, part));

    // 6. A server on them.
    const servers = await atOnce(parts, async (part, index) => {
      const files = prepared[index] ?? notPrepared(part);
      const starts = options.start && (await hasServer(context, part.record));
      const started = starts ? await startStep(used, options, part, files) : undefined;
      return restoredServer(part, files, started, options.keep);
    });

    // 7. What a control plane makes a database of.
    const resources = await resource?.site.make(plan, resource.planned, signal);
    for (const made of resources ?? []) say(`made: ${made}`);

    // 8. What only served the making goes.
    await site.finish(plan);
    return { ...resultOf(plan, servers, warnings), ...(resources === undefined ? {} : { resources }) };
  } catch (thrown) {
    throw await withRemains(site, plan, asStillpointError(thrown));
  }
}

/** What of the record is made anew for a control plane; undefined where nobody has asked for it. */
async function resourceStep(
  { resources: site, engineOf }: RestoreContext,
  plan: RestorePlan,
  name: string | undefined,
): Promise<{ readonly site: ResourceSite; readonly planned: PlannedResource } | undefined> {
  if (name === undefined) return undefined;
  if (site === undefined)
    throw new StillpointError('usage-invalid', '--resource takes a cluster, and here are folders');
  const { resource } = plan.record.resource === undefined ? {} : (await engineOf(plan.record)).restore;
  return { site, planned: planResource(plan, name, resource) };
}

/** Of a group, what has no server is not started; a backup of nothing else cannot be. */
async function assertAllStartable(context: RestoreContext, record: BackupRecord): Promise<void> {
  for (const each of memberRecords(record)) {
    const engine = await context.engineOf(each);
    if (record.members === undefined || engine.capabilities.hasServer) assertStartable(each, engine);
  }
}

async function hasServer({ engineOf }: RestoreContext, record: BackupRecord): Promise<boolean> {
  return (await engineOf(record)).capabilities.hasServer;
}

/** One part after the other. */
async function inOrder<T>(parts: readonly RestorePlan[], work: (part: RestorePlan) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (const part of parts) results.push(await work(part));
  return results;
}

/** All parts at once; an error is told when none is at work any more. */
async function atOnce<T>(
  parts: readonly RestorePlan[],
  work: (part: RestorePlan, index: number) => Promise<T>,
): Promise<readonly T[]> {
  const outcomes = await Promise.allSettled(parts.map(work));
  return outcomes.map((outcome) => {
    if (outcome.status === 'fulfilled') return outcome.value;
    throw outcome.reason;
  });
}

async function prepareStep({ site, say, signal }: RestoreContext, part: RestorePlan): Promise<PreparedFiles> {
  const prepared = await site.prepare(part, signal);
  for (const done of prepared.done) say(`prepared: ${done}`);
  return prepared;
}

async function startStep(
  { engineOf, site, say, signal }: RestoreContext,
  { keep }: RestoreOptions,
  plan: RestorePlan,
  prepared: PreparedFiles,
): Promise<StartedServer> {
  const command = (await engineOf(plan.record)).restore.server(plan.record, prepared, SOCKET_DIRECTORY);
  say('starting a server on the volumes');
  const started = await site.start(plan, prepared, command, signal);
  if (!keep) await site.stop(plan);
  refuseOnDifference(plan, started.inspection);
  return started;
}

function refuseOnDifference(plan: RestorePlan, { findings }: Inspection): void {
  const differences = findings.filter(({ severity }) => severity === 'error');
  if (differences.length === 0) return;
  throw new StillpointError(
    'restore-differs',
    `the server on restore ${plan.name} is not what backup ${recordPath(plan.record)} says: ${differences.map(({ message }) => message).join('; ')}`,
    { hint: 'do not use these volumes; look whether the snapshots are those of the record' },
  );
}

function restoredServer(
  { record, volumes }: RestorePlan,
  prepared: PreparedFiles,
  started: StartedServer | undefined,
  kept: boolean,
): RestoredServer {
  const { member = '' } = record.volumes.find(({ name }) => name === volumes[0]?.name) ?? {};
  return {
    member,
    prepared,
    server: started && {
      kept,
      reach: kept ? started.reach : [],
      recorded: record.position ?? {},
      inspection: started.inspection,
    },
  };
}

function resultOf(plan: RestorePlan, servers: readonly RestoredServer[], warnings: readonly Finding[]): RestoreResult {
  const { record } = plan;
  const [only] = servers;
  const found = servers.flatMap(({ server }) => server?.inspection.findings ?? []);
  return {
    restore: plan.name,
    namespace: plan.namespace,
    backup: { namespace: record.namespace, database: record.database, id: record.id },
    volumes: plan.volumes.map(({ name, claim, size, storageClass, mountPath }) => ({
      volume: name,
      claim,
      size,
      storageClass,
      mountPath,
    })),
    ...(record.members === undefined ? { prepared: only?.prepared, server: only?.server } : { members: servers }),
    warnings: [...warnings, ...found].filter(({ severity }) => severity === 'warning').map(({ message }) => message),
  };
}

function notPrepared({ name }: RestorePlan): never {
  throw new StillpointError('internal', `restore ${name} was not prepared`);
}

/**
 * From the first object on, an error is one of the restore's own (exit code 7), and it says what is there now and what
 * goes on with it or removes it.
 */
async function withRemains(site: RestoreSite, plan: RestorePlan, error: StillpointError): Promise<StillpointError> {
  const made = await site.list(plan.namespace, plan.name).catch(() => undefined);
  const remains =
    made === undefined
      ? `what restore ${plan.name} has made could not be listed`
      : made.length === 0
        ? 'nothing of it is left'
        : `made so far: ${made.join(', ')}`;
  const next =
    made?.length === 0 ? [] : [`\`${site.undoCommand(plan)}\` removes it; the same command again goes on with it`];
  return new StillpointError(error.exitCode === 7 ? error.code : 'restore-failed', error.message, {
    hint: [...(error.hint === undefined ? [] : [error.hint]), remains, ...next].join('; '),
    cause: error,
  });
}
