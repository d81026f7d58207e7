/** Copies of a registry's records in a store: what the constructs say of them. */
import type { ISecret } from 'cdk8s-plus-28';
import type { StoresConfig } from './contract';
import { invalid } from './invalid';
import { type MountedVolume, SECRET_FILE_MODE } from './runner-pod';
import type { BackupStorage } from './storage';

const SIGN_KEY_MOUNT = '/var/run/secrets/stillpoint/sign-key';

/** Where copies of records are kept, and whose they are. */
export interface RecordCopiesProps {
  /**
   * The Secret with its credentials has to be in the registry's namespace. Each registry needs a bucket or a prefix of its own, without
   * `lockDays`: a copy goes when its backup goes.
   */
  readonly storage: BackupStorage;

  /**
   * A Secret in the registry's namespace with the private key that copies are signed with: Ed25519, in PEM, as `stillpoint keygen`
   * makes it.
   *
   * @default - they are not signed: whoever may write to the storage can have you restore what they like
   */
  readonly signingKey?: ISecret;

  /**
   * The key of that Secret.
   *
   * @default 'stillpoint.key'
   */
  readonly signingKeyKey?: string;
}

/** What the places of their storage end with in the pruner's pod. */
const COPIES = '-records';

const SIGN_KEY_FILE = 'key.pem';

/**
 * What the pruner is told of them.
 *
 * @internal
 */
export function recordCopiesConfig({ storage, signingKey }: RecordCopiesProps): StoresConfig['spec']['recordCopies'] {
  const config = storage._toConfig(COPIES);
  if (config.s3?.lock !== undefined) {
    // A record goes after its copy.
    throw invalid(
      `the storage of recordCopies in bucket "${config.s3.bucket}"`,
      `has lockDays: ${config.s3.lock.days}, and a backup that is to go before then would stay listed as deleting, with its copy locked`,
      'leave lockDays out there; a signingKey shows whether a copy was altered',
    );
  }
  return {
    storage: config,
    ...(signingKey === undefined ? {} : { signKeyFile: `${SIGN_KEY_MOUNT}/${SIGN_KEY_FILE}` }),
  };
}

/**
 * What the pruner mounts for them. The key is optional to the pod, so that one that is missing is the pruner's error, and it still prunes.
 *
 * @internal
 */
export function recordCopiesVolumes({
  storage,
  signingKey,
  signingKeyKey,
}: RecordCopiesProps): readonly MountedVolume[] {
  const volumes = storage._volumes(COPIES);
  if (signingKey === undefined) return volumes;
  const items = [{ key: signingKeyKey ?? 'stillpoint.key', path: SIGN_KEY_FILE }];
  const sources = [{ secret: { name: signingKey.name, optional: true, items } }];
  return [
    ...volumes,
    { volume: { name: 'sign-key', projected: { defaultMode: SECRET_FILE_MODE, sources } }, path: SIGN_KEY_MOUNT },
  ];
}
