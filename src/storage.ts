import type { ISecret, k8s } from 'cdk8s-plus-28';
import {
  STORE_CA_MOUNT,
  STORE_CONFIG,
  STORE_CREDENTIALS_MOUNT,
  STORE_KEYS,
  STORE_VOLUME_MOUNT,
  type StoreConfig,
  type StoreKind,
  storeProblem,
  validate,
} from './contract';
import { invalid } from './invalid';
import { type MountedVolume, SECRET_FILE_MODE } from './runner-pod';
import {
  type AzureStorageProps,
  type GcsStorageProps,
  ObjectLockMode,
  type S3StorageProps,
  type StorageProps,
  type SwiftStorageProps,
  type VolumeStorageProps,
} from './storage-props';

const CA_FILE = 'ca.crt';

/**
 * A place for objects: a bucket, a container, or a folder of a volume. It has to be there; nothing is made of it here.
 *
 * @example
 * const login = Secret.fromSecretName(chart, 'store-login', 'store-login');
 * BackupStorage.s3({ bucket: 'backups', region: 'eu-central-1', prefix: 'prod' });
 * BackupStorage.s3({ bucket: 'backups', endpoint: 'https://minio.storage.svc', credentials: login });
 * BackupStorage.gcs({ bucket: 'backups-of-shop', credentials: login });
 * BackupStorage.azure({ container: 'backups', credentials: login });
 * BackupStorage.swift({ container: 'backups', credentials: login });
 * BackupStorage.volume({ claimName: 'backups' });
 */
export class BackupStorage {
  /** A bucket of S3, or of a server that speaks it. */
  public static s3(props: S3StorageProps): BackupStorage {
    const { certificateAuthority, lockDays, lockMode } = props;
    const s3 = {
      bucket: props.bucket,
      ...given({
        endpoint: props.endpoint,
        region: props.region,
        pathStyle: props.pathStyle ?? (props.endpoint === undefined ? undefined : true),
        caFile: certificateAuthority && `${STORE_CA_MOUNT}/${CA_FILE}`,
        storageClass: props.storageClass,
        encryption: props.encryption,
        kmsKeyId: props.kmsKeyId,
        lock: lockDays === undefined ? undefined : { mode: lockMode ?? ObjectLockMode.GOVERNANCE, days: lockDays },
      }),
    };
    if (lockMode !== undefined && lockDays === undefined) {
      throw invalid(`the storage in bucket "${props.bucket}"`, 'has a lockMode and no lockDays', 'say for how long');
    }
    const authority =
      certificateAuthority === undefined
        ? []
        : [
            secretVolume(
              'store-ca',
              STORE_CA_MOUNT,
              certificateAuthority,
              [props.certificateAuthorityKey ?? CA_FILE],
              CA_FILE,
            ),
          ];
    return new BackupStorage(props, { kind: 's3', s3 }, props.credentials, authority);
  }

  /** A bucket of Google Cloud Storage. */
  public static gcs(props: GcsStorageProps): BackupStorage {
    const { bucket, endpoint, storageClass, kmsKeyName } = props;
    const gcs = { bucket, ...given({ endpoint, storageClass, kmsKeyName }) };
    return new BackupStorage(props, { kind: 'gcs', gcs }, props.credentials, []);
  }

  /** A container of Azure Blob Storage. */
  public static azure(props: AzureStorageProps): BackupStorage {
    const { container, account, endpoint, tier } = props;
    const azure = { container, ...given({ account, endpoint, tier }) };
    return new BackupStorage(props, { kind: 'azure', azure }, props.credentials, []);
  }

  /** A container of OpenStack Swift. */
  public static swift(props: SwiftStorageProps): BackupStorage {
    const { container, region } = props;
    const swift = { container, ...given({ region }) };
    return new BackupStorage(props, { kind: 'swift', swift }, props.credentials, []);
  }

  /** A volume that is mounted wherever the store is used. */
  public static volume(props: VolumeStorageProps): BackupStorage {
    const volume: MountedVolume = {
      volume: { name: 'store', persistentVolumeClaim: { claimName: props.claimName } },
      path: STORE_VOLUME_MOUNT,
      writable: true,
    };
    const directory = { path: STORE_VOLUME_MOUNT, volume: props.claimName };
    return new BackupStorage(props, { kind: 'directory', directory }, undefined, [volume]);
  }

  private readonly config: StoreConfig;
  private readonly volumes: readonly MountedVolume[];

  private constructor(
    { prefix, patience }: StorageProps,
    kind: Pick<StoreConfig, 'kind'> & Partial<StoreConfig>,
    credentials: ISecret | undefined,
    volumes: readonly MountedVolume[],
  ) {
    this.config = {
      ...kind,
      ...given({
        prefix,
        credentialsDirectory: credentials && STORE_CREDENTIALS_MOUNT,
        patienceSeconds: patience?.toSeconds(),
      }),
    };
    this.volumes = [...credentialVolumes(kind.kind, credentials), ...volumes];
    check(this.config);
  }

  /**
   * What the runner is told of the store.
   *
   * @param at what the places end with where it is mounted, in a pod that has several stores
   * @internal
   */
  public _toConfig(at = ''): StoreConfig {
    const { credentialsDirectory, s3, directory } = this.config;
    return {
      ...this.config,
      ...given({ credentialsDirectory: credentialsDirectory && `${credentialsDirectory}${at}` }),
      ...(s3?.caFile === undefined ? {} : { s3: { ...s3, caFile: `${STORE_CA_MOUNT}${at}/${CA_FILE}` } }),
      ...(directory === undefined ? {} : { directory: { ...directory, path: `${directory.path}${at}` } }),
    };
  }

  /**
   * What a pod that uses the store mounts.
   *
   * @internal
   */
  public _volumes(at = ''): readonly MountedVolume[] {
    return this.volumes.map(({ volume, path, ...more }) => ({
      ...more,
      volume: { ...volume, name: `${volume.name}${at}` },
      path: `${path}${at}`,
    }));
  }
}

function check(config: StoreConfig): void {
  const place = `the storage of the kind ${config.kind}`;
  const [problem] = validate(STORE_CONFIG, config);
  if (problem !== undefined)
    throw invalid(place, `has a value that does not fit`, `${problem.path} ${problem.message}`);
  const odd = storeProblem(config);
  if (odd !== undefined) throw invalid(place, odd, 'give what belongs together');
}

function credentialVolumes(kind: StoreKind, secret: ISecret | undefined): readonly MountedVolume[] {
  return secret === undefined ? [] : [secretVolume('store', STORE_CREDENTIALS_MOUNT, secret, STORE_KEYS[kind])];
}

/** Optional, so that a missing Secret or key is the runner's error, with its code and a hint, and no pod that hangs. */
function secretVolume(
  name: string,
  path: string,
  secret: ISecret,
  keys: readonly string[],
  file?: string,
): MountedVolume {
  const items = keys.map((key) => ({ key, path: file ?? key }));
  const source: k8s.VolumeProjection = { secret: { name: secret.name, optional: true, items } };
  return { volume: { name, projected: { defaultMode: SECRET_FILE_MODE, sources: [source] } }, path };
}

/** What has a value. */
function given<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
