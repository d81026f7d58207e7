/** What a node says of its cluster: the masters, who has which slots, and what is on its way. Pure: text in, facts out. */
import type { Info } from './replies';

/** How many slots a cluster has, all of which have to be somebody's. */
export const SLOTS = 16_384;

/** A master that has slots. */
export interface ClusterMaster {
  readonly id: string;
  /** Empty where a node has met no other yet, and does not know its own. */
  readonly address: string;
  readonly port: number;
  readonly configEpoch: string;
  /** As the cluster writes them: `0-5460 5500`. */
  readonly slots: string;
  /** Whether the others, or this one itself, take it for lost. */
  readonly failing: boolean;
}

/** The cluster as one node sees it. */
export interface ClusterView {
  readonly myself: string;
  /** By their slots. */
  readonly masters: readonly ClusterMaster[];
  /** Slots that this node is giving away or taking over, as `93->-<id>`. */
  readonly migrating: readonly string[];
}

const FIELDS = { id: 0, address: 1, flags: 2, configEpoch: 6, slots: 8 } as const;

/** Reads CLUSTER NODES: a line a node, with its own migrations on its own line. */
export function clusterOf(nodes: string): ClusterView {
  const lines = nodes.split('\n').flatMap((line) => (line.trim() === '' ? [] : [line.trim().split(' ')]));
  const own = lines.find((fields) => flagsOf(fields).includes('myself')) ?? [];
  const masters = lines.filter((fields) => flagsOf(fields).includes('master')).map(masterOf);
  return {
    myself: own[FIELDS.id] ?? '',
    masters: masters.filter(({ slots }) => slots !== '').toSorted((one, other) => firstSlot(one) - firstSlot(other)),
    migrating: own.slice(FIELDS.slots).flatMap((slot) => (slot.startsWith('[') ? [slot.slice(1, -1)] : [])),
  };
}

/** How many slots somebody has. */
export function slotsCovered({ masters }: ClusterView): number {
  return masters
    .flatMap(({ slots }) => slots.split(' '))
    .reduce((sum, range) => {
      const [from = 0, to = from] = range.split('-').map(Number);
      return sum + to - from + 1;
    }, 0);
}

/** Who has which slots, in a line: the same before the first cut and after the last, or there is no backup. */
export function slotMap({ masters }: ClusterView): string {
  return masters.map(({ id, slots }) => `${id} ${slots}`).join('; ');
}

/** What speaks against a cluster as one node sees it; undefined when nothing does. */
export function clusterProblem(view: ClusterView, info: Info): string | undefined {
  const covered = slotsCovered(view);
  const failing = view.masters.filter((master) => master.failing).map(({ id, address }) => `${id} (${address})`);
  if (failing.length > 0) return `the master ${failing.join(', ')} is taken for lost`;
  if (covered < SLOTS) return `${covered} of ${SLOTS} slots are a master's`;
  if (info.cluster_state !== 'ok') return `cluster_state is ${info.cluster_state ?? 'unknown'}`;
  if (view.migrating.length > 0) return `slots are being moved: ${view.migrating.join(', ')}`;
  return undefined;
}

function flagsOf(fields: readonly string[]): readonly string[] {
  return (fields[FIELDS.flags] ?? '').split(',');
}

/** `10.1.2.3:6379@16379,host-name`: the address may have colons of its own. */
function masterOf(fields: readonly string[]): ClusterMaster {
  const [, address = '', port = '0'] = /^(.*):(\d+)@/.exec(fields[FIELDS.address] ?? '') ?? [];
  return {
    id: fields[FIELDS.id] ?? '',
    address,
    port: Number(port),
    configEpoch: fields[FIELDS.configEpoch] ?? '0',
    slots: fields
      .slice(FIELDS.slots)
      .filter((slot) => !slot.startsWith('['))
      .join(' '),
    failing: flagsOf(fields).some((flag) => flag.startsWith('fail') || flag === 'noaddr'),
  };
}

function firstSlot({ slots }: ClusterMaster): number {
  return Number(/^\d+/.exec(slots)?.[0] ?? '0');
}
