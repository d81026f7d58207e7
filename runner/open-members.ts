/** Opens a session with each server of a policy, and finds out where it runs and which volumes are its. */
import type { MemberConfig } from '../src/contract';
import { withMounts } from './coverage';
import type { EngineSession, PlanRequest, Target } from './engine';
import { StillpointError } from './errors';
import { type Member, type MemberSource, volumeName } from './member';
import type { Finding, Log, Platform, ServerPlace, SnapshotStore, Volume } from './ports';
import { claimsOfPlace, coverageFindings, eachOnce, traceServer } from './trace';

export interface OpenContext {
  readonly config: { readonly spec: { readonly snapshots: { readonly groupClassName?: string | undefined } } };
  readonly sources: readonly MemberSource[];
  readonly platform: Platform;
  readonly store: SnapshotStore;
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

/** Of what has no server. */
const NO_TARGET: Target = {
  connection: { host: 'none', port: 1, usernameFile: '' },
  username: '',
  password: undefined,
  tls: undefined,
};
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
  const target = await source.readTarget();
  const named = await platform.resolveVolumes(selections.filter(({ podVolume }) => podVolume === undefined));
  const first = await source.engine.open(target, log, signal);
  sessions.push(first);
  const others = (await first.others?.(signal)) ?? [];
  sessions.push(...others);
  const several = others.length > 0;
  const traced: Traced[] = [];
  for (const session of [first, ...others]) traced.push(await trace(context, source, session, several));
  if (several) refuseUnused(named, traced);
  const opened: Opened[] = [];
  for (const one of traced) {
    const own = several ? named.filter((volume) => mounts(one.place, volume)) : named;
    opened.push(await openMember(context, one, own, id));
  }
  return opened;
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

/** A server of a cluster is called by its pod, any other one by its name in the policy. */
async function trace(
  { platform }: OpenContext,
  source: MemberSource,
  session: EngineSession,
  several: boolean,
): Promise<Traced> {
  const place = await traceServer(platform, session, source.config);
  const name = several ? (place.workload?.pod ?? place.name) : source.name;
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
  const findings = [
    ...(hasServer ? await coverageFindings(session, place, volumes, source.config) : []),
    ...(await session.check(request)),
  ];
  const plan = findings.some(({ severity }) => severity === 'error') ? undefined : session.plan(request);
  const told = name === '' ? findings : findings.map((each) => ({ ...each, subject: `${name}: ${each.subject}` }));
  return { member: { name, source, session, place, volumes, request, plan }, findings: told };
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
  { layout, engineOptions }: MemberConfig,
  own: Pick<PlanRequest, 'id' | 'volumes' | 'standstill'>,
): PlanRequest {
  return {
    ...own,
    layout: layout ?? 'auto',
    groupClass: config.spec.snapshots.groupClassName !== undefined,
    atomicStore: store.atomic,
    options: engineOptions ?? {},
  };
}
