/** A restore from a terminal: claims, instruction and pod, made of what the policy of the copy has. Pure. */
import {
  API_VERSION,
  type BackupRecord,
  COPY_MOUNTS,
  COPY_RESTORE_CONFIG,
  COPY_RESTORE_KIND,
  type CopyConfig,
  type CopyRestoreConfig,
  IDENTITY_FILE,
  IDENTITY_MOUNT,
  identityVolume,
  MOUNTS,
  storePlace,
  validate,
} from '../../src/contract';
import type { PolicyPod } from '../dump/by-policy';
import { storeOf } from '../dump/record';
import { StillpointError } from '../errors';
import { recordPath } from '../output/records';
import { type PlannedVolume, planClaims, type RestorePlan } from '../restore/plan';
import { parseQuantity } from '../restore/quantity';
import { roomFor } from './restore-files';

/** What a person says of a restore. */
export interface CopyRestoreWishes {
  readonly claims: readonly string[];
  readonly sizes: readonly string[];
  readonly storageClass?: string | undefined;
  /** The Secret with the identity that opens the copy. */
  readonly identity?: string | undefined;
}

/** The container that fills the claims; the policy's own prepares the files after it. */
export const FILL_CONTAINER = 'fill';

/** The claims. Throws usage-invalid and backup-not-restorable; room-missing where one is too small for the files. */
export function planCopyClaims(record: BackupRecord, source: BackupRecord, wishes: CopyRestoreWishes): RestorePlan {
  const { claims, sizes, storageClass } = wishes;
  const plan = planClaims(source, { claims, sizes, storageClass, namespace: record.namespace, image: 'none' });
  for (const { name, size = '0' } of plan.volumes) {
    const counted = record.copy?.volumes?.find((volume) => volume.name === name);
    if (counted === undefined || (parseQuantity(size) ?? 0n) >= (parseQuantity(`${roomFor(counted)}`) ?? 0n)) continue;
    throw new StillpointError(
      'room-missing',
      `volume ${name} would have ${size}, and the copy takes up to ${roomFor(counted)} bytes of it`,
      { hint: `give it more: --size ${name}=<quantity>` },
    );
  }
  return plan;
}

/** The instruction. Throws usage-invalid where the policy has another storage by now. */
export function copyRestoreConfigBy(
  { spec: policy }: CopyConfig,
  record: BackupRecord,
  volumes: readonly PlannedVolume[],
  { identity, ...place }: { readonly name: string; readonly namespace: string; readonly identity?: string | undefined },
): CopyRestoreConfig {
  const store = storeOf(record);
  if (store !== undefined && storePlace(store) !== storePlace(policy.storage)) {
    throw new StillpointError(
      'usage-invalid',
      `copy ${recordPath(record)} lies in ${record.storeName ?? 'another store'}, and its policy has another storage by now`,
      { hint: 'restore it by the construct, which names the storage: see docs/copies.md' },
    );
  }
  const config: CopyRestoreConfig = {
    apiVersion: API_VERSION,
    kind: COPY_RESTORE_KIND,
    metadata: place,
    spec: {
      backup: { namespace: record.namespace, database: record.database, id: record.id },
      volumes: volumes.map(({ name }) => ({ name, path: `${COPY_MOUNTS.volumes}/${name}` })),
      storage: policy.storage,
      ...(identity === undefined ? {} : { identityFile: `${IDENTITY_MOUNT}/${IDENTITY_FILE}` }),
      recordFile: `${COPY_MOUNTS.state}/${COPY_MOUNTS.recordFile}`,
      registry: policy.registry,
    },
  };
  const [problem] = validate(COPY_RESTORE_CONFIG, config);
  if (problem === undefined) return config;
  throw new StillpointError('usage-invalid', `the restore cannot be told so: ${problem.path} ${problem.message}`);
}

/** The policy's pod, told to fill the claims first, and to prepare the files then, as the user whose files they are. */
export function copyRestorePodBy(
  pod: PolicyPod,
  { spec }: CopyConfig,
  volumes: readonly PlannedVolume[],
  { config, identity }: { readonly config: string; readonly identity?: string | undefined },
): PolicyPod {
  const [container = {}] = pod.containers;
  const own = container.volumeMounts ?? [];
  const configVolume = own.find(({ mountPath }) => mountPath === MOUNTS.config)?.name;
  const opened = identity === undefined ? [] : [{ ...identityVolume(identity) }];
  const state = { name: 'state', mountPath: COPY_MOUNTS.state };
  const nameOf = (index: number): string => `volume-${index}`;
  const { runAsUser: user } = spec.copy;
  const capabilities = { drop: ['ALL'], ...(user === 0 ? { add: ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID'] } : {}) };
  const shared = { ...container, securityContext: { ...(container.securityContext as object), capabilities } };
  return {
    ...pod,
    securityContext: {
      ...(pod.securityContext as object),
      ...{ runAsNonRoot: user !== 0, runAsUser: user, runAsGroup: user, fsGroup: user },
    },
    initContainers: [
      {
        ...shared,
        name: FILL_CONTAINER,
        args: ['restore-copy', '--config', `${MOUNTS.config}/${MOUNTS.configFile}`],
        volumeMounts: [
          ...own,
          state,
          ...volumes.map(({ name }, index) => ({ name: nameOf(index), mountPath: `${COPY_MOUNTS.volumes}/${name}` })),
          ...opened.map(({ name }) => ({ name, mountPath: IDENTITY_MOUNT, readOnly: true })),
        ],
      },
    ],
    containers: [
      {
        ...shared,
        args: [
          ...['prepare', '--record-file', `${COPY_MOUNTS.state}/${COPY_MOUNTS.recordFile}`],
          ...volumes.flatMap(({ name, mountPath }) => ['--volume', `${name}=${mountPath}`]),
        ],
        volumeMounts: [
          { ...state, readOnly: true },
          ...volumes.map(({ mountPath, subPath }, index) => ({
            ...{ name: nameOf(index), mountPath },
            ...(subPath === undefined ? {} : { subPath }),
          })),
        ],
      },
    ],
    volumes: [
      ...(pod.volumes ?? []).map((volume) =>
        volume.name === configVolume ? { name: volume.name, configMap: { name: config } } : volume,
      ),
      { name: 'state', emptyDir: {} },
      ...volumes.map(({ claim }, index) => ({ name: nameOf(index), persistentVolumeClaim: { claimName: claim } })),
      ...opened,
    ],
  };
}
