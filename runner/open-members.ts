/** Opens a session with each server of a policy, and finds out where it runs and which volumes are its. */
import type { MemberConfig } from '../src/contract';
import { chooseServers } from './choose-servers';
import { withMounts } from './coverage';
import { type EngineSession, NO_TARGET, type PlanRequest, type Target } from './engine';
import { StillpointError } from './errors';
import { type Member, type MemberSource, volumeName } from './member';
import { fromOutside } from './outside';
import type { Clock, Finding, Log, Outside, Platform, ServerPlace, SnapshotStore, Volume } from './ports';
import { claimsOfPlace, coverageFindings, eachOnce, traceServer } from './trace';

export interface OpenContext {
  readonly config: { readonly spec: { readonly snapshots: { readonly groupClassName?: string | undefined } } };
  readonly sources: readonly MemberSource[];
  readonly platform: Platform;
  readonly outside?: Outside | undefined;
  readonly store: SnapshotStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** The members, and what their servers have to be told of. */
export interface OpenedMembers {
  readonly members: readonly Member[];
  readonly findings: readonly Finding[];
  readonly close: () => Promise<void>;
}

interface Opened {
  readonly member: Member;
  readonly findings: readonly Finding[];
}

const NO_PLACE: ServerPlace = { uid: '', name: 'no server', mounts: [], workload: undefined };

/** A session whose server was traced. */
interface Traced {
  readonly source: MemberSource;
  readonly name: string;
  readonly session: EngineSession;
  readonly place: ServerPlace;
}

/** Opens them in the order of the policy. Throws where it cannot go on, with every session closed. */
export async function openMembers(context: OpenContext, id: string): Promise<OpenedMembers> {
  const sessions: EngineSession[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(sessions.map((session) => session.close()));
  };
  try {
    const opened: Opened[] = [];
    for (const source of context.sources) opened.push(...(await openSource(context, source, sessions, id)));
    const members = opened.map(({ member }) => member);
    refuseDoubleNames(members);
    return { members, findings: opened.flatMap(({ findings }) => findings), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function openSource(
  context: OpenContext,
  source: MemberSource,
  sessions: EngineSession[],
  id: string,
): Promise<readonly Opened[]> {
  if (!source.engine.capabilities.hasServer) return [await openVolumes(context, source, sessions, id)];
  const { platform, log, signal } = context;
  const { volumes: selections } = source.config;
  const targets = await targetsOf(platform, source);
  const named = await platform.resolveVolumes(selections.filter(({ podVolume }) => podVolume === undefined));
  const own: { readonly session: EngineSession; readonly group?: string | undefined }[] = [];
  for (const { target, group } of targets) {
    const session = await source.engine.open(target, log, signal);
    sessions.push(session);
    const others = (await session.others?.(signal)) ?? [];
    sessions.push(...others);
    own.push({ session, group }, ...others.map((other) => ({ session: other })));
  }
  const several = own.length > 1;
  const traced: Traced[] = [];
  for (const { session, group } of own) traced.push(await trace(context, source, session, several, group));
  if (several) refuseUnused(named, traced);
  const opened: Opened[] = [];
  for (const one of traced) {
    const its = several ? named.filter((volume) => mounts(one.place, volume)) : named;
    opened.push(await openMember(context, one, its, id));
  }
  return opened;
}

/** What leads to the servers: to the one that the policy names, or to those that are found by the labels of their pods. */
async function targetsOf(
  platform: Platform,
  { config, engine, readTarget }: MemberSource,
): Promise<readonly { readonly target: Target; readonly group?: string | undefined }[]> {
  const target = await readTarget();
  const { servers } = config;
  if (servers === undefined) return [{ target }];
  const found = await platform.findServers(servers.matchLabels, engine.podEnvironment);
  return chooseServers(found, servers).map(({ address, labels, environment, group }) => ({
    target: { ...target, connection: { ...target.connection, host: address }, labels, environment },
    group,
  }));
}

/** Where there is no server, nothing is traced: the claims are those that the policy names. */
async function openVolumes(
  context: OpenContext,
  source: MemberSource,
  sessions: EngineSession[],
  id: string,
): Promise<Opened> {
  const { platform, log, signal } = context;
  const session = await source.engine.open(NO_TARGET, log, signal);
  sessions.push(session);
  const named = await platform.resolveVolumes(source.config.volumes);
  // Where a restore mounts them to look at them: who had them mounted, and where, is not known.
  const volumes = named.map((volume) => ({ ...volume, mountPath: `/volumes/${volume.name}` }));
  return await openMember(context, { source, name: source.name, session, place: NO_PLACE }, volumes, id);
}

/** A server of a cluster is called by its group, else by its pod; any other one by its name in the policy. */
async function trace(
  { platform }: OpenContext,
  source: MemberSource,
  session: EngineSession,
  several: boolean,
  group?: string,
): Promise<Traced> {
  const place = await traceServer(platform, session, source.config);
  const name = several ? (group ?? place.workload?.pod ?? place.name) : source.name;
  return { source, name, session, place };
}

async function openMember(
  context: OpenContext,
  { source, name, session, place }: Traced,
  named: readonly Volume[],
  id: string,
): Promise<Opened> {
  const { hasServer } = source.engine.capabilities;
  const found = hasServer ? await context.platform.resolveVolumes(claimsOfPlace(source.config.volumes, place)) : [];
  const mounted = withMounts(eachOnce([...named, ...found]), place.mounts);
  const volumes = name === '' ? mounted : mounted.map((volume) => ofMember(volume, name));
  const request = planRequest(context, source.config, { id, volumes, standstill: name !== '' });
  const checked = [
    ...(hasServer ? await coverageFindings(session, place, volumes, source.config) : []),
    ...(await session.check(request)),
  ];
  const own = checked.some(({ severity }) => severity === 'error') ? undefined : session.plan(request);
  const misplaced = offlineFindings(source, place);
  const { plan, findings: around } = await fromOutside(own, source, volumes, context);
  const findings = [...checked, ...misplaced, ...around];
  const told = name === '' ? findings : findings.map((each) => ({ ...each, subject: `${name}: ${each.subject}` }));
  return { member: { name, source, session, place, volumes, request, plan }, findings: told };
}

/** What is stopped has to be what the session was traced to, and its engine one that can do without. */
function offlineFindings({ engine, config }: MemberSource, { name, workload }: ServerPlace): readonly Finding[] {
  const { offline } = config;
  if (offline === undefined) return [];
  const unsuitable = (message: string, hint: string): Finding => ({
    severity: 'error',
    code: 'offline-unsuitable',
    subject: `${offline.kind} ${offline.name}`,
    message,
    hint,
  });
  if (!engine.capabilities.mayBeOffline)
    return [unsuitable(`${engine.name} is not stopped for its backups`, 'leave offline out')];
  if (!engine.capabilities.hasServer || (workload?.kind === offline.kind && workload.name === offline.name)) return [];
  const found = `${workload?.kind ?? 'no workload'} ${workload?.name ?? ''}`.trim();
  return [
    unsuitable(`${name} is of ${found}, and the policy has ${offline.kind} ${offline.name} stopped`, `name ${found}`),
  ];
}

function ofMember(volume: Volume, member: string): Volume {
  return { ...volume, name: volumeName(volume.name, member), member };
}

function mounts({ mounts: all }: ServerPlace, { claim }: Volume): boolean {
  return all.some((mount) => mount.claim === claim);
}

/** Of a single server the check of its paths says so; of several servers none would miss it. */
function refuseUnused(named: readonly Volume[], traced: readonly Traced[]): void {
  const unused = named.find((volume) => !traced.some(({ place }) => mounts(place, volume)));
  if (unused === undefined) return;
  const places = traced.map(({ place }) => place.name).join(', ');
  throw new StillpointError(
    'volume-mismatch',
    `none of ${places} mounts claim ${unused.claim} (volume ${unused.name})`,
    {
      hint: "take the claims from the servers' own pods: podVolume, BackupVolume.fromServerPod",
    },
  );
}

function refuseDoubleNames(members: readonly Member[]): void {
  const twice = members.find(({ name }, index) => members.findIndex((other) => other.name === name) !== index);
  if (twice === undefined) return;
  throw new StillpointError('config-invalid', `two servers of the backup are called ${twice.name}`, {
    hint: 'give the members of the group other names than the pods of a cluster in it have',
  });
}

function planRequest(
  { config, store }: OpenContext,
  { layout, engineOptions, offline }: MemberConfig,
  own: Pick<PlanRequest, 'id' | 'volumes' | 'standstill'>,
): PlanRequest {
  return {
    ...own,
    layout: layout ?? 'auto',
    groupClass: config.spec.snapshots.groupClassName !== undefined,
    atomicStore: store.atomic,
    options: engineOptions ?? {},
    offline: offline !== undefined,
  };
}
