/**
 * Safety rule 3: the server's own paths must lie on the claims of the plan. Pure: paths, mounts and volumes in,
 * findings out.
 */
import type { ServerPath } from './engine';
import type { Finding, Mount, Volume } from './ports';

/** What the check of one server's paths against one policy's volumes needs. */
export interface CoverageInput {
  readonly place: string;
  readonly paths: readonly ServerPath[];
  readonly mounts: readonly Mount[];
  readonly volumes: readonly Volume[];
  /** Claims that the user said are not to be backed up. */
  readonly ignored: readonly string[];
}

/** Says what of the server's paths does not lie where the policy thinks, and which mounted claims nobody backs up. */
export function checkCoverage(input: CoverageInput): readonly Finding[] {
  return [...checkPaths(input), ...checkUnused(input), ...checkUncovered(input)];
}

/** The volumes with the path that the server has them mounted at: a restore mounts them there again. */
export function withMounts(volumes: readonly Volume[], mounts: readonly Mount[]): readonly Volume[] {
  return volumes.map((volume) => {
    const mount = mounts.find(({ claim }) => claim === volume.claim);
    if (mount === undefined) return volume;
    return {
      ...volume,
      mountPath: mount.path,
      ...(mount.subPath === undefined ? {} : { subPath: mount.subPath }),
    };
  });
}

/** The mount that a path lies on: that with the longest path above it. */
export function mountOf(path: string, mounts: readonly Mount[]): Mount | undefined {
  return mounts
    .filter((mount) => isWithin(path, mount.path))
    .reduce<Mount | undefined>(
      (best, mount) => (best === undefined || mount.path.length > best.path.length ? mount : best),
      undefined,
    );
}

function* checkPaths({ place, paths, mounts, volumes }: CoverageInput): Generator<Finding> {
  for (const { what, path, role } of paths) {
    if (path === undefined) continue;
    const subject = `${what} ${path} of ${place}`;
    const claim = mountOf(path, mounts)?.claim;
    const volume = volumes.find((candidate) => candidate.claim === claim);
    if (claim === undefined) {
      yield mismatch(
        subject,
        `${what} ${path} of ${place} lies on no claim`,
        'only what lies on a claim can be snapshotted',
      );
    } else if (volume === undefined) {
      yield mismatch(
        subject,
        `${what} ${path} of ${place} lies on claim ${claim}, which is not among the volumes of the policy (${names(volumes)})`,
        `add claim ${claim} to the volumes, or point host at the server whose claims they are`,
      );
    } else if (role === 'log' && volume.role !== 'log' && paths.some((other) => elsewhere(other, claim, mounts))) {
      yield mismatch(
        subject,
        `${what} ${path} of ${place} has claim ${claim} to itself, which the policy has as ${volume.role}`,
        `give the volume ${volume.name} the role log: it has to be cut last`,
      );
    } else {
      yield { severity: 'ok', code: 'ok', subject, message: `${what} lies on claim ${claim}` };
    }
  }
}

/** Whether a data path lies on another claim than the given one: then the log's claim is one of its own. */
function elsewhere(path: ServerPath, claim: string, mounts: readonly Mount[]): boolean {
  return path.role === 'data' && path.path !== undefined && mountOf(path.path, mounts)?.claim !== claim;
}

function* checkUnused({ place, paths, mounts, volumes }: CoverageInput): Generator<Finding> {
  const unseen = paths.filter(({ path }) => path === undefined);
  for (const volume of volumes) {
    const used = paths.some(({ path }) => path !== undefined && mountOf(path, mounts)?.claim === volume.claim);
    if (used || unseen.some(({ role }) => role === volume.role)) continue;
    yield mismatch(
      `claim ${volume.claim}`,
      `none of the paths of ${place} lies on claim ${volume.claim} (volume ${volume.name})`,
      'remove it from the volumes, or point host at the server that uses it',
    );
  }
}

/** A claim that nobody backs up may be what it is meant to be; where a path cannot be seen, that may lie on it. */
function* checkUncovered({ place, paths, mounts, volumes, ignored }: CoverageInput): Generator<Finding> {
  const covered = new Set([...volumes.map(({ claim }) => claim), ...ignored]);
  const mounted = new Set(mounts.flatMap(({ claim }) => (claim === undefined ? [] : [claim])));
  for (const claim of mounted) {
    if (covered.has(claim)) continue;
    const on = mounts.filter((mount) => mount.claim === claim).map(({ path }) => path);
    const unseen = paths
      .filter(({ path, unsearched = [] }) => path === undefined || unsearched.some((folder) => on.includes(folder)))
      .map(({ what }) => what);
    const may = unseen.length === 0 ? '' : `, and ${unseen.join(', ')} may lie on it`;
    yield {
      severity: unseen.length === 0 ? 'warning' : 'error',
      code: 'volume-not-covered',
      subject: `claim ${claim}`,
      message: `${place} mounts claim ${claim}, which the policy does not back up${may}`,
      hint: 'add it to the volumes, or name it in ignoreClaims',
    };
  }
}

function mismatch(subject: string, message: string, hint: string): Finding {
  return { severity: 'error', code: 'volume-mismatch', subject, message, hint };
}

function isWithin(path: string, folder: string): boolean {
  const prefix = `${folder.replace(/\/+$/, '')}/`;
  return `${path}/`.startsWith(prefix);
}

function names(volumes: readonly Volume[]): string {
  return volumes.map(({ claim }) => claim).join(', ');
}
