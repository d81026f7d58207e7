/**
 * All that can be known before anything is touched (safety rule 2). `backup` stops at the first error in it, `doctor`
 * prints it.
 */
import type { JobConfig, VolumeSelection } from '../src/contract';
import { checkCoverage, withMounts } from './coverage';
import type { Engine, EngineSession, Plan, PlanRequest, Target } from './engine';
import { StillpointError } from './errors';
import type { CutRequest, Finding, Guards, Log, Platform, ServerPlace, SnapshotStore, Volume } from './ports';

export interface PreflightContext {
  readonly config: JobConfig;
  readonly target: Target;
  readonly engine: Engine;
  readonly platform: Platform;
  readonly store: SnapshotStore;
  /** Undefined where nobody could undo what outlives the session of this runner. */
  readonly guards?: Guards | undefined;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** What the checks found, and what they opened on the way: the session is the one that the backup uses. */
export interface Preflight extends AsyncDisposable {
  readonly session: EngineSession;
  readonly volumes: readonly Volume[];
  readonly place: ServerPlace;
  readonly request: PlanRequest;
  /** Undefined when what was found on the server leaves nothing to plan. */
  readonly plan: Plan | undefined;
  readonly findings: readonly Finding[];
}

/** Runs every check. Throws where it cannot go on: no connection, no claim, no pod behind the server. */
export async function preflight(context: PreflightContext, id: string): Promise<Preflight> {
  const { config, engine, target, platform, store, log, signal } = context;
  const access = platform.checkAccess();
  access.catch(() => undefined);
  const { volumes: selections } = config.spec;
  const named = await platform.resolveVolumes(selections.filter(({ podVolume }) => podVolume === undefined));
  const session = await engine.open(target, log, signal);
  try {
    const place = await traceServer(platform, session, config);
    const found = await platform.resolveVolumes(claimsOfPlace(selections, place));
    const mounted = withMounts(eachOnce([...named, ...found]), place.mounts);
    const request = planRequest(context, id, mounted);
    const serverFindings = [
      ...(await coverageFindings(session, place, mounted, config)),
      ...(await session.check(request)),
    ];
    const plan = serverFindings.some(isError) ? undefined : session.plan(request);
    const findings = [
      ...(await access),
      ...serverFindings,
      ...guardFindings(plan, context),
      ...(await store.check(mounted, cutsHow(plan))),
    ];
    return {
      session,
      volumes: mounted,
      place,
      request,
      plan,
      findings,
      [Symbol.asyncDispose]: () => session.close(),
    };
  } catch (error) {
    await session.close();
    throw error;
  }
}

/** Throws the first error among findings: the others stand in the log. */
export function refuseOnErrors(findings: readonly Finding[]): void {
  const first = findings.find(isError);
  if (first === undefined) return;
  const code = first.code === 'ok' ? 'internal' : first.code;
  throw new StillpointError(code, first.message, first.hint === undefined ? {} : { hint: first.hint });
}

/** As {@link refuseOnErrors}, where the findings with their hints stand above it already. */
export function failOnErrors(
  findings: readonly Finding[],
  said: (errors: number) => string = (errors) => (errors === 1 ? '1 check failed' : `${errors} checks failed`),
): void {
  const errors = findings.filter(isError);
  const [first] = errors;
  if (first === undefined) return;
  const code = first.code === 'ok' ? 'internal' : first.code;
  throw new StillpointError(code, said(errors.length));
}

/**
 * Traces the session's server to its place, and fails when nothing is known there (safety rule 3). The name of a host is
 * only a hint, since other namespaces may have it too: the session has to confirm the place.
 */
export async function traceServer(platform: Platform, session: EngineSession, config: JobConfig): Promise<ServerPlace> {
  const { address, hostname } = session.server;
  const { host } = config.spec.connection;
  const place = await platform.placeOf(address, hostname);
  const byName = address === undefined && hostname !== undefined;
  const said = byName ? `its host is ${hostname}` : `its address is ${address ?? 'a Unix socket'}`;
  if (place === undefined) {
    throw notTraced(
      `the server behind ${host} says that ${said}, and no pod there has that ${byName ? 'name' : 'address'}`,
    );
  }
  if (address !== undefined || place.address === undefined || session.isAt === undefined) return place;
  if (await session.isAt(place.address)) return place;
  throw notTraced(
    `the server behind ${host} says that ${said}, but in ${place.name} (${place.address}) another answers`,
  );
}

function notTraced(message: string): StillpointError {
  return new StillpointError('server-not-traced', message, {
    hint: 'the database has to run in a pod of the namespace of the policy, and host has to lead to it',
  });
}

/** Whether the server's paths lie on the volumes of the policy, as findings. */
export async function coverageFindings(
  session: EngineSession,
  place: ServerPlace,
  volumes: readonly Volume[],
  config: JobConfig,
): Promise<readonly Finding[]> {
  const mountPaths = place.mounts.map(({ path }) => path);
  return checkCoverage({
    place: place.name,
    paths: await session.paths(mountPaths),
    mounts: place.mounts,
    volumes,
    ignored: config.spec.ignoreClaims ?? [],
  });
}

/** The selections that name a volume of the server's pod, with the claim that it is there. Throws claim-not-found. */
export function claimsOfPlace(
  selections: readonly VolumeSelection[],
  { name, mounts }: ServerPlace,
): readonly VolumeSelection[] {
  return selections.flatMap(({ podVolume, ...selection }) => {
    if (podVolume === undefined) return [];
    const claim = mounts.find(({ volume }) => volume === podVolume)?.claim;
    if (claim !== undefined) return [{ ...selection, claim }];
    const claims = mounts.flatMap(({ volume, claim: there }) => (there === undefined ? [] : [`${volume} (${there})`]));
    throw new StillpointError('claim-not-found', `${name} mounts no claim as its volume ${podVolume}`, {
      hint: `it mounts ${claims.length === 0 ? 'none at all' : claims.join(', ')}: name one of them`,
    });
  });
}

/** Whether somebody can undo what stays in force when the session of a plan ends (safety rule 8). */
function guardFindings(plan: Plan | undefined, { guards, config }: PreflightContext): readonly Finding[] {
  if (plan?.held === undefined || plan.held.length === 0 || guards !== undefined) return [];
  const members = plan.held.map(({ member }) => member).join(', ');
  return [
    {
      severity: 'error',
      code: 'guard-missing',
      subject: `database ${config.spec.database}`,
      message: `what this backup holds at ${members} outlives its session, and this run has no guard that could undo it`,
      hint: 'take it by a Job of its policy (stillpoint backup, kubectl create job --from=cronjob/…), synthesised anew if it is of an earlier version',
    },
  ];
}

/** The volumes, each of which has to be another claim. Throws config-invalid. */
export function eachOnce(volumes: readonly Volume[]): readonly Volume[] {
  const twice = volumes.find(({ claim }, index) => volumes.findIndex((other) => other.claim === claim) !== index);
  if (twice === undefined) return volumes;
  throw new StillpointError('config-invalid', `claim ${twice.claim} is selected twice by the policy`, {
    hint: "select each claim once: by its name, its StatefulSet, its labels, or from the server's pod",
  });
}

function planRequest({ config, store }: PreflightContext, id: string, volumes: readonly Volume[]): PlanRequest {
  const { layout, snapshots, engineOptions } = config.spec;
  return {
    id,
    volumes,
    layout: layout ?? 'auto',
    groupClass: snapshots.groupClassName !== undefined,
    atomicStore: store.atomic,
    options: engineOptions ?? {},
  };
}

function cutsHow(plan: Plan | undefined): CutRequest['how'] {
  const together = plan?.steps.some((step) => step.kind === 'cut' && step.how === 'together') ?? false;
  return together ? 'together' : 'individually';
}

function isError({ severity }: Finding): boolean {
  return severity === 'error';
}
