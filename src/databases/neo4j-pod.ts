import { Duration, Size } from 'cdk8s';
import { type ContainerResources, Cpu, k8s } from 'cdk8s-plus-28';
import type { Construct } from 'constructs';
import { invalid } from '../invalid';
import { given, sizeQuantity } from '../resources';
import type { MountedVolume } from '../runner-pod';
import type { Neo4jScratchProps } from './neo4j-scratch';

/**
 * A Java machine beside the runner, and of it a quarter as its heap.
 *
 * @internal
 */
export const JAVA_RESOURCES: ContainerResources = {
  cpu: { request: Cpu.millis(100) },
  memory: { request: Size.mebibytes(512), limit: Size.gibibytes(1) },
};

/**
 * Where the volume is mounted that a Job works in.
 *
 * @internal
 */
export const SCRATCH = '/scratch';

/**
 * How long a finished Job stays whose pod has a volume of its own: until then its log can be read, and the volume takes room.
 *
 * @internal
 */
export const FINISHED_FOR: Duration = Duration.minutes(10);

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
