import type { Duration } from 'cdk8s';
import type { ISecret } from 'cdk8s-plus-28';

/** What is said of a store of any kind. */
export interface StorageProps {
  /**
   * What the names of all objects begin with, as `backups/prod`.
   *
   * @default - nothing
   */
  readonly prefix?: string;

  /**
   * How long a request is tried again when the store does not answer, or answers that it cannot at present.
   *
   * @default Duration.minutes(5)
   */
  readonly patience?: Duration;
}

/** What is said of a store that is reached over the network. */
export interface RemoteStorageProps extends StorageProps {
  /**
   * The Secret with the credentials, in the namespace of whoever uses the store. Its keys are called as those of KubeDB's
   * are: `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, `GOOGLE_SERVICE_ACCOUNT_JSON_KEY`, `AZURE_ACCOUNT_NAME` and
   * `AZURE_ACCOUNT_KEY`, or `OS_…`. It is mounted as files, never given as variables.
   *
   * @default - the identity of the workload: what the cloud gives the pod's service account
   */
  readonly credentials?: ISecret;
}

/** How S3 encrypts what it keeps. */
export enum S3Encryption {
  /** With keys of the service's own. */
  SERVICE = 'AES256',
  /** With a key of the key management service. */
  KMS = 'aws:kms',
}

/** What an object lock lets through. */
export enum ObjectLockMode {
  /** Who has the right to may remove it all the same. */
  GOVERNANCE = 'GOVERNANCE',
  /** Nobody removes it before its time. */
  COMPLIANCE = 'COMPLIANCE',
}

/** Properties of {@link BackupStorage.s3}. */
export interface S3StorageProps extends RemoteStorageProps {
  /** The bucket. It has to be there. */
  readonly bucket: string;

  /**
   * The address of a service that speaks S3, as `https://s3.example.com`.
   *
   * @default - that of AWS in the region
   */
  readonly endpoint?: string;

  /**
   * The region.
   *
   * @default - with an endpoint us-east-1, else what the cluster says to its pods
   */
  readonly region?: string;

  /**
   * Whether the bucket stands in the path of a request, not in the name of the host, as most servers other than AWS have it.
   *
   * @default - true with an endpoint, else false
   */
  readonly pathStyle?: boolean;

  /**
   * The Secret with the certificates that the endpoint is trusted by.
   *
   * @default - those that Node knows, and the key `CA_CERT_DATA` of credentials where it has one
   */
  readonly certificateAuthority?: ISecret;

  /**
   * The key of the certificates in that Secret.
   *
   * @default 'ca.crt'
   */
  readonly certificateAuthorityKey?: string;

  /**
   * The storage class of the objects, as `STANDARD_IA`. What is in an archive has to be brought back before it is read.
   *
   * @default - that of the bucket
   */
  readonly storageClass?: string;

  /**
   * How the service encrypts what it keeps.
   *
   * @default - as the bucket says
   */
  readonly encryption?: S3Encryption;

  /**
   * The key, with {@link S3Encryption.KMS}: its id, ARN or alias.
   *
   * @default - that of the account
   */
  readonly kmsKeyId?: string;

  /**
   * What an object lock lets through. The bucket has to have object lock.
   *
   * @default ObjectLockMode.GOVERNANCE with lockDays, else no lock
   */
  readonly lockMode?: ObjectLockMode;

  /**
   * For how many days nobody removes an object, counted from its upload. Whoever removes it sooner gets the error `object-locked`.
   *
   * @default - no lock
   */
  readonly lockDays?: number;
}

/** Properties of {@link BackupStorage.gcs}. */
export interface GcsStorageProps extends RemoteStorageProps {
  /** The bucket. It has to be there. */
  readonly bucket: string;

  /**
   * Another address of the service, as that of a private endpoint.
   *
   * @default 'https://storage.googleapis.com'
   */
  readonly endpoint?: string;

  /**
   * The storage class of the objects, as `NEARLINE`.
   *
   * @default - that of the bucket
   */
  readonly storageClass?: string;

  /**
   * The key that the service encrypts with, as `projects/p/locations/l/keyRings/r/cryptoKeys/k`.
   *
   * @default - as the bucket says
   */
  readonly kmsKeyName?: string;
}

/** The access tiers of Azure. */
export enum AzureTier {
  /** Read often. */
  HOT = 'Hot',
  /** Kept for 30 days at least. */
  COOL = 'Cool',
  /** Kept for 90 days at least. */
  COLD = 'Cold',
  /** Has to be brought back before it is read: hours. */
  ARCHIVE = 'Archive',
}

/** Properties of {@link BackupStorage.azure}. */
export interface AzureStorageProps extends RemoteStorageProps {
  /** The container. It has to be there. */
  readonly container: string;

  /**
   * The storage account.
   *
   * @default - the key `AZURE_ACCOUNT_NAME` of credentials
   */
  readonly account?: string;

  /**
   * Another address of the service, with the account where it belongs in the path.
   *
   * @default - `https://<account>.blob.core.windows.net`
   */
  readonly endpoint?: string;

  /**
   * The access tier of the objects.
   *
   * @default - that of the account
   */
  readonly tier?: AzureTier;
}

/** Properties of {@link BackupStorage.swift}. */
export interface SwiftStorageProps extends StorageProps {
  /** The Secret with the credentials, by the names that OpenStack's own tools have for them: `OS_AUTH_URL`, `OS_USERNAME`, … */
  readonly credentials: ISecret;

  /** The container. It has to be there. */
  readonly container: string;

  /**
   * The region.
   *
   * @default - the key `OS_REGION_NAME` of credentials; where there is none, the first that is offered
   */
  readonly region?: string;
}

/** Properties of {@link BackupStorage.volume}. */
export interface VolumeStorageProps extends StorageProps {
  /**
   * The claim of the volume, in the namespace of whoever uses the store. Several pods use it at once: the volume has to let
   * them (ReadWriteMany), or all have to be on one node.
   */
  readonly claimName: string;
}
