/**
 * The servers of a backup. A policy is of one database or, in a group, of several; and a database is one server or, in a
 * cluster, several. Each of these servers is a *member*: one session, the place that it runs in, the volumes that are its.
 */
import { type BackupRecord, GROUP, type Held, type MemberConfig } from '../src/contract';
import { labelsText } from './choose-servers';
import type { Engine, EngineSession, Plan, PlanRequest, Target } from './engine';
import { StillpointError } from './errors';
import { named } from './merge-plans';
import type { ServerPlace, Volume } from './ports';

/** What a policy says of one of its databases, and what reaches it. */
export interface MemberSource {
  /** Its name within the group; empty where the policy is of this one database. */
  readonly name: string;
  readonly config: MemberConfig;
  readonly engine: Engine;
  /** Read when it is needed: a missing credential is the backup's failure, not the program's. */
  readonly readTarget: () => Promise<Target>;
}

/** One server of a backup. */
export interface Member {
  /** Unique within the backup; empty where it is the only one. */
  readonly name: string;
  readonly source: MemberSource;
  readonly session: EngineSession;
  readonly place: ServerPlace;
  readonly volumes: readonly Volume[];
  readonly request: PlanRequest;
  /** Undefined when what was found on the server leaves nothing to plan. */
  readonly plan: Plan | undefined;
}

/** A label's value has at most so many characters, and a volume's name is one. */
const VOLUME_NAME_MAX = 63;

type Lost = Pick<Member, 'name' | 'session'> & Partial<Pick<Member, 'request'>>;

/** Aborts when the session of a member is lost; where there are several, with an error that says whose. */
export function lostOf({ name, session, request }: Lost): AbortSignal {
  // Its server is stopped on purpose.
  if (request?.offline === true) return new AbortController().signal;
  if (name === '') return session.lost;
  const lost = new AbortController();
  const lose = (): void => lost.abort(named(name, session.lost.reason));
  if (session.lost.aborted) lose();
  else session.lost.addEventListener('abort', lose, { once: true });
  return lost.signal;
}

/** How people know the server of a member: by the host of its policy. */
export function hostOf({ connection, servers }: Pick<MemberConfig, 'connection' | 'servers'>): string {
  if (connection !== undefined) return connection.host;
  return servers === undefined ? 'no host' : labelsText(servers.matchLabels);
}

/** The name of a member's volume in the backup: that of the policy where there is one member. Throws config-invalid. */
export function volumeName(volume: string, member: string): string {
  const name = member === '' ? volume : `${volume}-${member}`;
  if (name.length <= VOLUME_NAME_MAX) return name;
  throw new StillpointError(
    'config-invalid',
    `volume ${volume} of ${member} would be called ${name}, and its name may have ${VOLUME_NAME_MAX} characters`,
    { hint: 'give the volume, or the member of the group, a shorter name in the policy' },
  );
}

/** What the engine of a policy is called in records and on objects: that of its database, or what several are. */
export function engineOfAll(sources: readonly MemberSource[]): BackupRecord['engine'] {
  const [first, ...others] = sources;
  if (first !== undefined && others.length === 0) return first.engine.name;
  return GROUP;
}

/** The versions of all servers, for the snapshots' annotation. */
export function versionsOf(members: readonly Member[]): string {
  return members
    .filter(({ source }) => source.engine.capabilities.hasServer)
    .map(({ name, session }) => (name === '' ? session.server.version : `${name} ${session.server.version}`))
    .join(', ');
}

/** The server of a member, by its pod, and by the cluster that it is one of. */
export function serverOf({ source, place, session }: Member): {
  readonly engine: string;
  readonly podUid: string;
  readonly cluster: string | undefined;
} {
  return { engine: source.engine.name, podUid: place.uid, cluster: session.server.cluster };
}

/** The source that something is held of. What older records hold names none: there is one. */
export function sourceOf(sources: readonly MemberSource[], { of }: Pick<Held, 'of'>): MemberSource {
  const found = of === undefined ? sources[0] : sources.find(({ name }) => name === of);
  if (found !== undefined) return found;
  throw new StillpointError('config-invalid', `the policy has no member ${of} any more, and something is held there`, {
    hint: 'put the member back into the policy until what is held of it is undone',
  });
}
