/**
 * Which of the servers that were found by the labels of their pods is backed up: the ready one with the lowest ordinal; where
 * each group of them holds a part of the data, that one of each group. Pure.
 */
import type { ServerSelection } from '../src/contract';
import { StillpointError } from './errors';
import type { FoundServer } from './ports';

/** A server that is backed up. */
export interface ChosenServer {
  readonly name: string;
  readonly address: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly environment: Readonly<Record<string, string>>;
  /** Its group, where there are such. */
  readonly group: string | undefined;
}

/** One server, or one of each group in the order of the policy. Throws member-unsuitable, config-invalid. */
export function chooseServers(found: readonly FoundServer[], selection: ServerSelection): readonly ChosenServer[] {
  const { groups, groupLabel } = selection;
  if (groupLabel === undefined) return [lowestReady(found, selection, undefined)];
  if (groups !== undefined) {
    return groups.map((group) => lowestReady(inGroup(found, groupLabel, group), selection, group));
  }
  const there = [...new Set(found.map(({ labels }) => labels[groupLabel] ?? ''))].sort();
  if (there.length > 1) throw partsUnknown(there, selection);
  return [lowestReady(found, selection, undefined)];
}

function inGroup(found: readonly FoundServer[], label: string, group: string): readonly FoundServer[] {
  return found.filter(({ labels }) => labels[label] === group);
}

function lowestReady(
  found: readonly FoundServer[],
  { matchLabels, groupLabel }: ServerSelection,
  group: string | undefined,
): ChosenServer {
  const [first] = found.filter(isUsable).toSorted(byOrdinal);
  if (first !== undefined) {
    const { name, address, labels, environment = {} } = first;
    return { name, address, labels, environment, group };
  }
  const wanted = labelsText({ ...matchLabels, ...(group === undefined ? {} : { [groupLabel ?? '']: group }) });
  const names = found.map(({ name }) => name).sort();
  throw new StillpointError(
    'member-unsuitable',
    names.length === 0
      ? `no pod has the labels ${wanted}`
      : `none of the pods with the labels ${wanted} is ready: ${names.join(', ')}`,
    { hint: `see which there are: kubectl get pods -l ${wanted}` },
  );
}

function isUsable(server: FoundServer): server is FoundServer & { readonly address: string } {
  return server.ready && server.address !== undefined;
}

/** Of StatefulSets that each have one of an ordinal, the one whose name comes first. */
function byOrdinal(one: FoundServer, other: FoundServer): number {
  return ordinalOf(one.name) - ordinalOf(other.name) || one.name.localeCompare(other.name);
}

/** A pod of a StatefulSet ends with its ordinal; what has none comes last. */
export function ordinalOf(name: string): number {
  const [, digits] = /-(\d+)$/.exec(name) ?? [];
  return digits === undefined ? Number.MAX_SAFE_INTEGER : Number(digits);
}

/** As kubectl's -l has them. */
export function labelsText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
}

/** Half of a database, taken for all of it, would be found out at the restore. */
function partsUnknown(there: readonly string[], { groupLabel = '', matchLabels }: ServerSelection): StillpointError {
  return new StillpointError(
    'config-invalid',
    `the pods with the labels ${labelsText(matchLabels)} are of ${there.length} groups by their label ${groupLabel} (${there.join(', ')}), and the policy does not say which hold parts of the data`,
    { hint: `name all groups that hold a part of the data, or match one of them by its label ${groupLabel}` },
  );
}
