import type { Size } from 'cdk8s';
import { k8s } from 'cdk8s-plus-28';
import { given, sizeQuantity } from '../resources';

/** How the claim of a copy is made. */
export interface Neo4jStoreCopyOptions {
  /** The size of the copy: that of the original, or more. */
  readonly size: Size;

  /**
   * The storage class of the copy: one of the original's driver.
   *
   * @default - the cluster's default
   */
  readonly storageClassName?: string;

  /**
   * The folder of the volume that is Neo4j's data directory. Neo4j's Helm chart has it under `data`.
   *
   * @default - the volume itself
   */
  readonly subPath?: string;
}

/** How a claim is mounted. */
export interface Neo4jStoreOptions {
  /**
   * The folder of the volume that is Neo4j's data directory. Neo4j's Helm chart has it under `data`.
   *
   * @default - the volume itself
   */
  readonly subPath?: string;
}

/**
 * Where the files lie that a {@link Neo4jDump} reads, in the chart's namespace. No server runs on them; the one that does on the
 * original goes on.
 *
 * @example
 * Neo4jStore.copyOfClaim('data-graph-0', { size: Size.gibibytes(20) });
 * Neo4jStore.copyOfSnapshot('graph-data-20261121030000', { size: Size.gibibytes(20) });
 * Neo4jStore.claim('graph-copy');
 */
export class Neo4jStore {
  /**
   * A copy that the storage makes of a claim when a dump begins, whether a server runs on that or not, and that goes with the
   * dump's pod. The CSI driver has to be able to clone volumes, each at one instant.
   */
  public static copyOfClaim(claimName: string, options: Neo4jStoreCopyOptions): Neo4jStore {
    return Neo4jStore.copyOf({ kind: 'PersistentVolumeClaim', name: claimName }, options);
  }

  /** A copy of one VolumeSnapshot, as a backup has made it: for a dump of that backup. It goes with the dump's pod. */
  public static copyOfSnapshot(snapshotName: string, options: Neo4jStoreCopyOptions): Neo4jStore {
    const apiGroup = 'snapshot.storage.k8s.io';
    return Neo4jStore.copyOf({ apiGroup, kind: 'VolumeSnapshot', name: snapshotName }, options);
  }

  /**
   * A claim that is there, and on which no server runs: one that was restored, or one whose server is stopped for as long as the dump
   * takes. The files are completed in it where a crash has left them, and the folder `.stillpoint` is made beside them.
   */
  public static claim(claimName: string, options: Neo4jStoreOptions = {}): Neo4jStore {
    return new Neo4jStore({ name: VOLUME, persistentVolumeClaim: { claimName } }, options.subPath, false);
  }

  private static copyOf(dataSource: k8s.TypedLocalObjectReference, options: Neo4jStoreCopyOptions): Neo4jStore {
    const { size, storageClassName, subPath } = options;
    const spec: k8s.PersistentVolumeClaimSpec = {
      accessModes: ['ReadWriteOnce'],
      dataSource,
      ...given('storageClassName', storageClassName),
      resources: { requests: { storage: k8s.Quantity.fromString(sizeQuantity(size)) } },
    };
    return new Neo4jStore({ name: VOLUME, ephemeral: { volumeClaimTemplate: { spec } } }, subPath, true);
  }

  private constructor(
    private readonly volume: k8s.Volume,
    private readonly subPath: string | undefined,
    private readonly temporary: boolean,
  ) {}

  /** @internal */
  public get _volume(): k8s.Volume {
    return this.volume;
  }

  /** @internal */
  public get _subPath(): string | undefined {
    return this.subPath;
  }

  /**
   * Whether the files are a copy that goes with its pod.
   *
   * @internal
   */
  public get _temporary(): boolean {
    return this.temporary;
  }
}

/** The volume's name in the pod. */
const VOLUME = 'data';
