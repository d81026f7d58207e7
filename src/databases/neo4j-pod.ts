import { Size } from 'cdk8s';
import { type ContainerResources, Cpu } from 'cdk8s-plus-28';
import type { Construct } from 'constructs';
import { invalid } from '../invalid';
import type { BackupStorage } from '../storage';

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
 * Refuses a store that is no volume: the tool writes and finds files of online backups itself.
 *
 * @internal
 */
export function checkVolumeStorage(construct: Construct, { storage }: { readonly storage: BackupStorage }): void {
  const { kind } = storage._toConfig();
  if (kind === 'directory') return;
  throw invalid(construct, `has a storage of the kind ${kind}`, "take BackupStorage.volume({ claimName: '…' })");
}
