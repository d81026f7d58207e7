/**
 * Safety rule 3: the frozen server is the one whose claims are cut. Its session is traced to the place that it runs in, and
 * its own paths to the volumes of the policy.
 */
import type { MemberConfig, VolumeSelection } from '../src/contract';
import { checkCoverage } from './coverage';
import type { EngineSession } from './engine';
import { StillpointError } from './errors';
import { hostOf } from './member';
import type { Finding, Platform, ServerPlace, Volume } from './ports';

/**
 * Traces the session's server to its place, and fails when nothing is known there (safety rule 3). The name of a host is
 * only a hint, since other namespaces may have it too: the session has to confirm the place.
 */
export async function traceServer(
  platform: Platform,
  session: EngineSession,
  config: Pick<MemberConfig, 'connection' | 'servers'>,
): Promise<ServerPlace> {
  const { address, hostname } = session.server;
  const host = hostOf(config);
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

/**
 * In what a server is another one after the last cut than before the first, by the place that it runs in; undefined where it ran on.
 * A session ends with its server, but a program beside a server that was told to hold it may go on saying that it does.
 */
export function movedFrom(before: ServerPlace, now: ServerPlace): string | undefined {
  if (now.uid !== before.uid) {
    return `the server ran in ${before.name} (${before.uid}) before the first cut, in ${now.name} (${now.uid}) after`;
  }
  const { container = '' } = now;
  if (isSameStart(container, before, now)) return undefined;
  return `container ${container} of ${now.name}, which the server runs in, was started anew while the backup was at work`;
}

/** The kubelet may not have reported yet that what answered then was running: of that only the number of its start is known. */
function isSameStart(container: string, before: ServerPlace, now: ServerPlace): boolean {
  const was = before.running?.[container];
  if (was !== undefined) return now.running?.[container] === was;
  return (now.starts?.[container] ?? 0) === (before.starts?.[container] ?? 0);
}

/** Whether the server's paths lie on the volumes of the policy, as findings. */
export async function coverageFindings(
  session: EngineSession,
  place: ServerPlace,
  volumes: readonly Volume[],
  { ignoreClaims }: Pick<MemberConfig, 'ignoreClaims'>,
): Promise<readonly Finding[]> {
  const mountPaths = place.mounts.map(({ path }) => path);
  return checkCoverage({
    place: place.name,
    paths: await session.paths(mountPaths),
    mounts: place.mounts,
    volumes,
    ignored: ignoreClaims ?? [],
  });
}

/** The selections that name a volume of the server's pod, with the claim that it is there. Throws claim-not-found. */
export function claimsOfPlace(
  selections: readonly VolumeSelection[],
  { name, mounts }: ServerPlace,
): readonly VolumeSelection[] {
  return selections.flatMap(({ podVolume, optional = false, ...selection }) => {
    if (podVolume === undefined) return [];
    const claim = mounts.find(({ volume }) => volume === podVolume)?.claim;
    if (claim !== undefined) return [{ ...selection, claim }];
    if (optional) return [];
    const claims = mounts.flatMap(({ volume, claim: there }) => (there === undefined ? [] : [`${volume} (${there})`]));
    throw new StillpointError('claim-not-found', `${name} mounts no claim as its volume ${podVolume}`, {
      hint: `it mounts ${claims.length === 0 ? 'none at all' : claims.join(', ')}: name one of them`,
    });
  });
}

/** The volumes, each of which has to be another claim. Throws config-invalid. */
export function eachOnce(volumes: readonly Volume[]): readonly Volume[] {
  const twice = volumes.find(({ claim }, index) => volumes.findIndex((other) => other.claim === claim) !== index);
  if (twice === undefined) return volumes;
  throw new StillpointError('config-invalid', `claim ${twice.claim} is selected twice by the policy`, {
    hint: "select each claim once: by its name, its StatefulSet, its labels, or from the server's pod",
  });
}
