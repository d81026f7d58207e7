import type { Size } from 'cdk8s';
import { k8s } from 'cdk8s-plus-28';
import type { Construct } from 'constructs';
import { invalid } from '../invalid';
import { given, sizeQuantity } from '../resources';
import type { MountedVolume } from '../runner-pod';

/** A volume that a Job works in; it goes with the Job's pod. */
export interface Neo4jScratchProps {
  /**
   * Its size. A backup has to have room in it for the files of all databases that it takes, and for the tool; a restore for the files of the backup, the
   * database, and a dump of it.
   */
  readonly size: Size;

  /**
   * Its storage class.
   *
   * @default - the cluster's default
   */
  readonly storageClassName?: string;
}

/**
 * Where it is mounted.
 *
 * @internal
 */
export const SCRATCH = '/scratch';

/**
 * Refuses what has no size.
 *
 * @internal
 */
export function checkScratch(construct: Construct, scratch: Neo4jScratchProps | undefined): void {
  if (typeof scratch?.size?.toKibibytes === 'function') return;
  throw invalid(construct, 'has no scratch volume', 'say how large it is, as scratch: { size: Size.gibibytes(50) }');
}

/**
 * The volume of a pod.
 *
 * @internal
 */
export function scratchVolume({ size, storageClassName }: Neo4jScratchProps): MountedVolume {
  const spec: k8s.PersistentVolumeClaimSpec = {
    accessModes: ['ReadWriteOnce'],
    ...given('storageClassName', storageClassName),
    resources: { requests: { storage: k8s.Quantity.fromString(sizeQuantity(size)) } },
  };
  return { volume: { name: 'scratch', ephemeral: { volumeClaimTemplate: { spec } } }, path: SCRATCH, writable: true };
}
