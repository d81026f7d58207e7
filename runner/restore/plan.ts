/**
 * What a restore will make, decided before anything is made. Pure: a record and a person's wishes in, a plan out.
 */
import { createHash } from 'node:crypto';
import {
  type BackupRecord,
  type Cut,
  DNS_SUBDOMAIN_PATTERN,
  OBJECT_NAME_MAX,
  RESTORE_NAME_MAX,
  type RecordedVolume,
} from '../../src/contract';
import { StillpointError } from '../errors';
import { recordPath } from '../output/records';
import { largest, parseQuantity } from './quantity';

/** A volume that a restore makes. */
export interface PlannedVolume {
  /** The plan's name of the volume, as the backup has it. */
  readonly name: string;
  readonly role: RecordedVolume['role'];
  readonly cut: Cut;
  /** The claim (or folder) that is made of it. */
  readonly claim: string;
  /** A Kubernetes quantity; undefined for folders. */
  readonly size?: string | undefined;
  /** Undefined: the cluster's default. */
  readonly storageClass?: string | undefined;
  readonly accessModes: readonly string[];
  /** Where the server had it: it is mounted there again, so that absolute links between volumes still lead somewhere. */
  readonly mountPath: string;
  readonly subPath?: string | undefined;
}

/** One restore: of one server. */
export interface RestorePlan {
  /** The names of what only serves the making are made of it. */
  readonly name: string;
  /** The restore of several servers that this one is a part of: see {@link wholeOf}. */
  readonly of?: string | undefined;
  /** Where it is made; empty for folders. */
  readonly namespace: string;
  readonly record: BackupRecord;
  readonly volumes: readonly PlannedVolume[];
  /** The runner's image, which prepares the volumes; undefined where no image is needed. */
  readonly image?: string | undefined;
  /** Whether the copy is to take the original's place. */
  readonly inPlace?: boolean | undefined;
}

/** Labels all that a restore makes, whichever of its servers it is for: one command finds and removes it. */
export function wholeOf({ name, of }: Pick<RestorePlan, 'name' | 'of'>): string {
  return of ?? name;
}

/** What a person may say on the claims to make. Each entry is a value for all, or `volume=value` for one. */
export interface ClaimWishes {
  readonly claims: readonly string[];
  readonly sizes: readonly string[];
  readonly storageClass?: string | undefined;
  readonly namespace?: string | undefined;
  readonly image?: string | undefined;
}

/** Plans the claims of a restore. Throws usage-invalid and backup-not-restorable. */
export function planClaims(record: BackupRecord, wishes: ClaimWishes): RestorePlan {
  const names = record.volumes.map(({ name }) => name);
  const claims = perVolume('--claim', wishes.claims, names);
  const sizes = perVolume('--size', wishes.sizes, names);
  const volumes = record.volumes.map((volume) => planClaim(record, volume, claims, sizes, wishes));
  assertDistinct(volumes);
  const first = volumes.find(({ role }) => role === 'data') ?? volumes[0];
  if (first === undefined) throw notRestorable(record, 'its record has no volumes');
  return {
    name: restoreName(claims.all ?? first.claim),
    namespace: wishes.namespace ?? record.namespace,
    record,
    volumes,
    image: runnerImage(record, wishes.image),
  };
}

/** The name of a restore, from that of its claim: short enough for labels and for the names made of it. */
export function restoreName(claim: string): string {
  const label = claim.replaceAll('.', '-');
  if (label === claim && label.length <= RESTORE_NAME_MAX) return label;
  const hash = createHash('sha256').update(claim).digest('hex').slice(0, 8);
  return `${label.slice(0, RESTORE_NAME_MAX - 9).replace(/-+$/, '')}-${hash}`;
}

/** The cut of a volume, and what of it a restore cannot do without. */
export function cutOf(record: BackupRecord, volume: RecordedVolume): Cut {
  const cut = record.cuts.find((candidate) => candidate.volume === volume.name);
  if (cut === undefined) throw notRestorable(record, `its record has no snapshot of volume ${volume.name}`);
  return cut;
}

export interface PerVolume {
  readonly all: string | undefined;
  readonly of: ReadonlyMap<string, string>;
}

function planClaim(
  record: BackupRecord,
  volume: RecordedVolume,
  claims: PerVolume,
  sizes: PerVolume,
  wishes: ClaimWishes,
): PlannedVolume {
  const cut = cutOf(record, volume);
  if (volume.mountPath === undefined) {
    throw notRestorable(record, `its record does not say where volume ${volume.name} was mounted`);
  }
  if (volume.volumeMode === 'Block') {
    throw notRestorable(record, `volume ${volume.name} is a block device, and only file systems can be prepared`);
  }
  return {
    name: volume.name,
    role: volume.role,
    cut,
    claim: claimName(volume, record.volumes.length > 1, claims),
    size: claimSize(volume, cut, sizes),
    storageClass: wishes.storageClass ?? volume.storageClass,
    accessModes: volume.accessModes ?? ['ReadWriteOnce'],
    mountPath: volume.mountPath,
    ...(volume.subPath === undefined ? {} : { subPath: volume.subPath }),
  };
}

function claimName(volume: RecordedVolume, several: boolean, claims: PerVolume): string {
  const own = claims.of.get(volume.name);
  if (own === undefined && claims.all === undefined) {
    throw new StillpointError('usage-invalid', `no claim is named for volume ${volume.name}`, {
      hint: several
        ? `name one with --claim ${volume.name}=<claim>, or all with --claim <name>: it becomes <name>-${volume.name}`
        : 'name the claim to make with --claim <name>',
    });
  }
  const name = own ?? (several ? `${claims.all}-${volume.name}` : `${claims.all}`);
  if (name.length <= OBJECT_NAME_MAX && new RegExp(DNS_SUBDOMAIN_PATTERN).test(name)) return name;
  throw new StillpointError('usage-invalid', `"${name}" is no name for a claim`, {
    hint: `lower-case letters, digits, "-" and ".", at most ${OBJECT_NAME_MAX} characters`,
  });
}

function claimSize(volume: RecordedVolume, cut: Cut, sizes: PerVolume): string {
  const asked = sizes.of.get(volume.name) ?? sizes.all;
  const least = largest([cut.restoreSize]);
  const usual = largest([cut.restoreSize, volume.capacity]);
  if (asked === undefined) {
    if (usual !== undefined && usual !== '0') return usual;
    throw new StillpointError('usage-invalid', `the record does not say how large volume ${volume.name} is`, {
      hint: `say it with --size ${volume.name}=<quantity>`,
    });
  }
  const value = parseQuantity(asked);
  if (value === undefined || value === 0n) {
    throw new StillpointError('usage-invalid', `"${asked}" is no size for volume ${volume.name}`, {
      hint: 'a Kubernetes quantity, as 10Gi',
    });
  }
  if (least !== undefined && value < (parseQuantity(least) ?? 0n)) {
    throw new StillpointError('usage-invalid', `${asked} is too small for volume ${volume.name}: it takes ${least}`, {
      hint: `leave --size out, or give at least ${least}`,
    });
  }
  return asked;
}

/** Reads `value` (for all volumes) and `volume=value` (for one). Throws usage-invalid. */
export function perVolume(option: string, entries: readonly string[], volumes: readonly string[]): PerVolume {
  let all: string | undefined;
  const of = new Map<string, string>();
  for (const entry of entries) {
    const [, volume, value] = /^([^=]*)=(.*)$/.exec(entry) ?? [];
    if (volume === undefined || value === undefined) {
      if (all !== undefined) throw twice(option, `both ${all} and ${entry}`);
      all = entry;
    } else if (!volumes.includes(volume)) {
      throw new StillpointError('usage-invalid', `${option} ${entry}: the backup has no volume ${volume}`, {
        hint: `its volumes are ${volumes.join(', ')}`,
      });
    } else {
      if (of.has(volume)) throw twice(option, `${of.get(volume)} and ${value} for volume ${volume}`);
      of.set(volume, value);
    }
  }
  return { all, of };
}

function twice(option: string, what: string): StillpointError {
  return new StillpointError('usage-invalid', `${option} is given twice: ${what}`, {
    hint: `several volumes are named one by one: ${option} volume=value`,
  });
}

function assertDistinct(volumes: readonly PlannedVolume[]): void {
  const seen = new Map<string, string>();
  for (const { claim, name } of volumes) {
    const other = seen.get(claim);
    if (other !== undefined) {
      throw new StillpointError('usage-invalid', `volumes ${other} and ${name} would both become claim ${claim}`, {
        hint: 'give each volume a claim of its own',
      });
    }
    seen.set(claim, name);
  }
}

function runnerImage(record: BackupRecord, asked: string | undefined): string {
  const image = asked ?? record.runnerImage;
  if (image !== undefined) return image;
  throw new StillpointError('usage-invalid', `the record of backup ${recordPath(record)} names no runner image`, {
    hint: 'say which image prepares the volumes with --image',
  });
}

function notRestorable(record: BackupRecord, why: string): StillpointError {
  return new StillpointError('backup-not-restorable', `backup ${recordPath(record)} cannot be restored: ${why}`);
}
