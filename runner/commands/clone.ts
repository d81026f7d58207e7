/** Makes a running copy of a backup beside the original, with nothing in common with it but the data. */
import type { BackupRecord } from '../../src/contract';
import { type ClonePlan, type CloneWishes, planClone } from '../clone/plan';
import type { CloneAccess, CloneSite, CloneStage } from '../clone/site';
import type { Engine, EngineCopy, Inspection, PreparedFiles } from '../engine';
import { asStillpointError, StillpointError } from '../errors';
import { findRecord } from '../find-record';
import { recordPath } from '../output/records';
import type { RecordFilter, Registry, Uses } from '../ports';
import { memberPlans } from '../restore/members';
import { type PlannedResource, planResource, type ResourceSite } from '../restore/resource';
import { assertRestorable, assertSnapshots, assertStartable } from '../restore/restorable';
import { type RestoreSite, SOCKET_DIRECTORY } from '../restore/site';

/** What a clone needs of the world. */
export interface CloneContext {
  readonly registry: Registry;
  readonly uses: Pick<Uses, 'begin'>;
  readonly site: RestoreSite;
  readonly clones: CloneSite;
  /** Where the custom resource of a copy is made. */
  readonly resources: ResourceSite;
  /** The engine of a record. */
  readonly engineOf: (record: BackupRecord) => Promise<Engine>;
  /** Tells a person what happens, one line at a time. */
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/** What to clone, and as what. */
export interface CloneOptions extends CloneWishes {
  readonly backup: string;
  readonly filter: RecordFilter;
  /** Make the custom resource that the record keeps anew, under this name. */
  readonly resource?: string | undefined;
}

/** What came of it; `-o json` prints it as it is. */
export interface CloneResult {
  readonly clone: string;
  readonly namespace: string;
  readonly backup: { readonly namespace: string; readonly database: string; readonly id: string };
  readonly claims: readonly { readonly volume: string; readonly claim: string; readonly mountPath: string }[];
  /** Of each of its servers. */
  readonly prepared?: readonly PreparedFiles[] | undefined;
  readonly server?: CloneAccess | undefined;
  /** The custom resource of the copy, and its Secret: `clone --undo` removes them with the claims. */
  readonly resources?: readonly string[] | undefined;
  /** The clones that it has replaced. */
  readonly replaced: readonly string[];
}

/** Clones one backup. Nothing that exists is overwritten (safety rule 12); the same call again goes on where it ended. */
export async function clone(world: CloneContext, options: CloneOptions): Promise<CloneResult> {
  const { registry, uses, site, clones, resources, say } = world;

  // 1. The record: of a backup that has succeeded.
  const { backup, filter, resource, ...wishes } = options;
  const stored = await findRecord(registry, backup, filter);
  const { record } = stored;
  assertRestorable(record);
  assertSnapshots(record);

  // 2. The plan, and what of the engine it takes.
  const plan = planClone(record, wishes);
  const copy = await copyStep(world, plan);
  const planned = await resourceStep(world, plan, resource);
  say(`clone ${plan.name}: backup ${recordPath(record)} of ${record.times.started}`);

  // From here on neither a prune nor a deletion takes it away.
  await using use = await uses.begin(stored, `clone ${plan.name}`);
  const signal = AbortSignal.any([world.signal, use.lost]);
  const context: CloneContext = { ...world, signal };

  // A Job's first pod may have come as far as this, and ended before what its clone replaces was gone.
  if (plan.series !== undefined && (await clones.stage(plan, signal)) === 'ready') {
    say(`clone ${plan.name} is ready already`);
    await site.finish(plan.restore);
    return resultOf(plan, await replaceStep(context, plan));
  }

  // 3. Every check comes before anything is made.
  for (const { message } of await clones.check(plan, signal)) say(`warning: ${message}`);
  const parts = memberPlans(plan.restore);
  for (const part of parts) {
    for (const { message } of await site.check(part, signal)) say(`warning: ${message}`);
  }
  if (planned !== undefined) await resources.check(plan.restore, planned, signal);

  try {
    // 4. What tells of the clone is there before anything of it is.
    const stage = await clones.begin(plan, signal);

    // 5. Volumes, and files that reach out to nobody (safety rule 13).
    for (const { claim, name } of plan.restore.volumes) say(`making claim ${claim} from volume ${name}`);
    for (const part of parts) await site.makeVolumes(part, signal);
    const prepared: PreparedFiles[] = [];
    for (const part of parts) prepared.push(await site.prepare(part, signal));
    for (const done of prepared.flatMap((each) => each.done)) say(`prepared: ${done}`);
    const [files] = prepared;

    // 6. A server that nobody else reaches: it is what the record says, and the scripts run on it.
    if (copy !== undefined && files !== undefined) await closedStep(context, plan, files, stage);

    // 7. The server that lasts.
    const opened = plan.workload && copy !== undefined && files !== undefined;
    const server = opened ? await openStep(context, plan, files, copy) : undefined;

    // 8. What a control plane makes a database of: by the time that it does, the claims are good.
    const made = planned && (await resources.make(plan.restore, planned, signal));
    for (const each of made ?? []) say(`made: ${each}`);

    // 9. It is a clone from here on; what only served the making goes.
    await clones.advance(plan, 'ready', signal);
    await site.finish(plan.restore);

    // 10. The clone that it replaces goes last.
    const replaced = await replaceStep(context, plan);
    return { ...resultOf(plan, replaced), prepared, server, ...(made === undefined ? {} : { resources: made }) };
  } catch (thrown) {
    throw withRemains(clones, plan, asStillpointError(thrown));
  }
}

/** What of the record is made anew for a control plane; undefined where nobody has asked for it. */
async function resourceStep(
  { engineOf }: CloneContext,
  { restore, series, workload }: ClonePlan,
  name: string | undefined,
): Promise<PlannedResource | undefined> {
  if (name === undefined) return undefined;
  if (series !== undefined || workload) {
    const other = series === undefined ? '--workload' : '--replace';
    throw new StillpointError('usage-invalid', `--resource ${name} does not go with ${other}`, {
      hint:
        series === undefined
          ? 'the control plane starts the servers of what it makes of the resource: leave --workload out'
          : 'the resource of one name would be that of two clones: remove the one before with clone --undo',
    });
  }
  const { resource } = restore.record.resource === undefined ? {} : (await engineOf(restore.record)).restore;
  return planResource(restore, name, resource);
}

/** What a server and scripts take of the engine; undefined for claims alone. */
async function copyStep(
  { engineOf }: CloneContext,
  { restore: { record }, workload, scripts }: ClonePlan,
): Promise<EngineCopy | undefined> {
  if (!workload && scripts === undefined) return undefined;
  if (record.members !== undefined) {
    throw new StillpointError(
      'clone-unsupported',
      `backup ${recordPath(record)} is of several servers, and a clone runs one`,
      { hint: 'leave --workload and --scripts out: the claims of all are made' },
    );
  }
  const engine = await engineOf(record);
  assertStartable(record, engine);
  const { name, restore } = engine;
  if (restore.copy !== undefined) return restore.copy;
  throw new StillpointError('clone-unsupported', `no server of its own can be made for a clone of ${name}`, {
    hint: 'leave --workload and --scripts out, and start a server of your own on the claims; or restore --start --keep',
  });
}

async function closedStep(
  { clones, site, engineOf, say, signal }: CloneContext,
  plan: ClonePlan,
  prepared: PreparedFiles,
  stage: CloneStage,
): Promise<void> {
  // The server that lasts may be there already: two on one volume would destroy it.
  if (stage !== 'making') return;
  const { record } = plan.restore;
  const { restore } = await engineOf(record);
  say(`starting a server that nobody reaches${plan.scripts === undefined ? '' : `, to run ${plan.scripts} on it`}`);
  const command = restore.server(record, prepared, SOCKET_DIRECTORY);
  const login = plan.workload ? clones.loginOf(plan) : undefined;
  const started = await site.start(plan.restore, prepared, command, signal, { scripts: plan.scripts, login });
  refuseOnDifference(plan, started.inspection);
  await site.stop(plan.restore);
  await clones.advance(plan, 'prepared', signal);
}

function refuseOnDifference({ name, restore: { record } }: ClonePlan, { findings }: Inspection): void {
  const differences = findings.filter(({ severity }) => severity === 'error');
  if (differences.length === 0) return;
  const found = differences.map(({ message }) => message).join('; ');
  throw new StillpointError(
    'restore-differs',
    `clone ${name} is not what backup ${recordPath(record)} says: ${found}`,
    {
      hint: 'do not use it; look whether the snapshots are those of the record',
    },
  );
}

async function openStep(
  { clones, say, signal }: CloneContext,
  plan: ClonePlan,
  prepared: PreparedFiles,
  copy: EngineCopy,
): Promise<CloneAccess> {
  say(`starting the server of clone ${plan.name}`);
  const { filesDirectory } = clones;
  const serverWith = (password: string): ReturnType<EngineCopy['server']> =>
    copy.server(plan.restore.record, prepared, { socketDirectory: SOCKET_DIRECTORY, filesDirectory, password });
  return await clones.open(plan, prepared, serverWith, signal);
}

async function replaceStep({ clones, say, signal }: CloneContext, plan: ClonePlan): Promise<readonly string[]> {
  if (plan.series === undefined) return [];
  const older = await clones.turnTo(plan, signal);
  for (const name of older) {
    say(`removing clone ${name}, which it replaces`);
    await clones.undo(plan.restore.namespace, name);
  }
  return older;
}

function resultOf({ name, restore }: ClonePlan, replaced: readonly string[]): CloneResult {
  const { record, namespace, volumes } = restore;
  return {
    clone: name,
    namespace,
    backup: { namespace: record.namespace, database: record.database, id: record.id },
    claims: volumes.map(({ name: volume, claim, mountPath }) => ({ volume, claim, mountPath })),
    replaced,
  };
}

/** From the first object on, an error is one of the clone's own (exit code 7). */
function withRemains(clones: CloneSite, plan: ClonePlan, error: StillpointError): StillpointError {
  const next = `\`${clones.undoCommand(plan)}\` removes it; the same command again goes on with it`;
  return new StillpointError(error.exitCode === 7 ? error.code : 'clone-failed', error.message, {
    hint: [...(error.hint === undefined ? [] : [error.hint]), next].join('; '),
    cause: error,
  });
}
