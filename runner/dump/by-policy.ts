/** A restore from a terminal: the instruction, and the pod, made of those that the policy of the dump has. Pure. */
import {
  API_VERSION,
  type BackupRecord,
  DUMP_RESTORE_CONFIG,
  DUMP_RESTORE_KIND,
  type DumpConfig,
  type DumpRestoreConfig,
  IDENTITY_FILE,
  IDENTITY_MOUNT,
  identityVolume,
  MOUNTS,
  storePlace,
  validate,
} from '../../src/contract';
import { StillpointError } from '../errors';
import { recordPath } from '../output/records';
import { storeOf } from './record';

/** What a person says of a restore. */
export interface DumpRestoreWishes {
  /** The server that it goes into. */
  readonly host: string;
  readonly port?: number | undefined;
  /** The Secret with the login there; that of the policy when left out. */
  readonly credentials?: string | undefined;
  /** One database, out of a dump of all. */
  readonly database?: string | undefined;
  readonly intoDatabase?: string | undefined;
  readonly checkFirst?: boolean | undefined;
  readonly intoOccupied?: boolean | undefined;
  /** The Secret with the identity that opens the dump. */
  readonly identity?: string | undefined;
}

/** The instruction. Throws usage-invalid where the policy, or what was said, does not fit. */
export function restoreConfigBy(
  { spec: policy }: DumpConfig,
  record: BackupRecord,
  wishes: DumpRestoreWishes,
  place: { readonly name: string; readonly namespace: string },
): DumpRestoreConfig {
  const store = storeOf(record);
  if (store !== undefined && storePlace(store) !== storePlace(policy.storage)) {
    throw new StillpointError(
      'usage-invalid',
      `backup ${recordPath(record)} lies in ${record.storeName ?? 'another store'}, and its policy has another storage by now`,
      { hint: 'restore it by the construct, which names the storage: see docs/dumps.md' },
    );
  }
  if (policy.connection === undefined) {
    throw new StillpointError(
      'usage-invalid',
      `a dump of ${policy.engine} goes into files, and not into a server: backup ${recordPath(record)}`,
      { hint: 'restore it by the construct, which names the claim: see docs/dumps.md' },
    );
  }
  const { port: ownPort, ...connection } = policy.connection;
  const { host, port = ownPort, database, intoDatabase, checkFirst, intoOccupied, identity } = wishes;
  const config = {
    apiVersion: API_VERSION,
    kind: DUMP_RESTORE_KIND,
    metadata: place,
    spec: {
      backup: { namespace: record.namespace, database: record.database, id: record.id },
      connection: { ...connection, host, port },
      ...(policy.engineOptions === undefined ? {} : { engineOptions: policy.engineOptions }),
      ...(database === undefined ? {} : { only: database }),
      ...(intoDatabase === undefined ? {} : { into: intoDatabase }),
      storage: policy.storage,
      ...(identity === undefined ? {} : { identityFile: `${IDENTITY_MOUNT}/${IDENTITY_FILE}` }),
      ...(checkFirst === undefined ? {} : { checkFirst }),
      ...(intoOccupied === undefined ? {} : { intoOccupied }),
      registry: policy.registry,
    },
  } satisfies DumpRestoreConfig;
  const [problem] = validate(DUMP_RESTORE_CONFIG, config);
  if (problem === undefined) return config;
  throw new StillpointError('usage-invalid', `the restore cannot be told so: ${problem.path} ${problem.message}`);
}

interface Mounted {
  readonly name: string;
  readonly mountPath: string;
  readonly readOnly?: boolean;
}

/** As much of a pod as is changed. */
export interface PolicyPod {
  readonly containers: readonly { readonly volumeMounts?: readonly Mounted[]; readonly [more: string]: unknown }[];
  readonly volumes?: readonly { readonly name: string; readonly [more: string]: unknown }[];
  readonly [more: string]: unknown;
}

interface Projected {
  readonly sources: readonly { readonly secret?: { readonly name: string; readonly [more: string]: unknown } }[];
}

/** The policy's pod, told to restore: by an instruction of its own, with another login where one is named. */
export function restorePodBy(pod: PolicyPod, config: string, wishes: DumpRestoreWishes): PolicyPod {
  const { credentials, identity } = wishes;
  const at = (path: string): string | undefined =>
    pod.containers[0]?.volumeMounts?.find(({ mountPath }) => mountPath === path)?.name;
  const [configVolume, loginVolume] = [at(MOUNTS.config), at(MOUNTS.credentials)];
  const volumes = (pod.volumes ?? []).map((volume) => {
    if (volume.name === configVolume) return { name: volume.name, configMap: { name: config } };
    if (volume.name !== loginVolume || credentials === undefined) return volume;
    const projected = projectedOf(volume);
    const sources = projected.sources.map(({ secret, ...source }) =>
      secret === undefined ? source : { ...source, secret: { ...secret, name: credentials } },
    );
    return { ...volume, projected: { ...projected, sources } };
  });
  const opened = identity === undefined ? [] : [{ ...identityVolume(identity) }];
  return {
    ...pod,
    containers: pod.containers.map((container) => ({
      ...container,
      args: ['restore-dump', '--config', `${MOUNTS.config}/${MOUNTS.configFile}`],
      volumeMounts: [
        ...(container.volumeMounts ?? []),
        ...opened.map(({ name }) => ({ name, mountPath: IDENTITY_MOUNT, readOnly: true })),
      ],
    })),
    volumes: [...volumes, ...opened],
  };
}

/** The policy's login, which another Secret takes the place of. Throws usage-invalid where it is none of the constructs' making. */
function projectedOf({ name, projected }: NonNullable<PolicyPod['volumes']>[number]): Projected {
  const { sources } = (projected ?? {}) as Partial<Projected>;
  if (Array.isArray(sources) && sources.some(({ secret }) => secret !== undefined))
    return { ...(projected as Projected), sources };
  throw new StillpointError(
    'usage-invalid',
    `the volume ${name} of the policy's pod, with its login, is of no Secret`,
    {
      hint: 'leave --credentials out, or restore by the construct: see docs/dumps.md',
    },
  );
}
