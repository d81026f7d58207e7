import { RECORD } from './record';
import { array, type Infer, object, oneOf, optional, string, timestamp } from './schema';
import { READABLE_API_VERSIONS } from './version';

/** The `kind` of an exported backup. */
export const EXPORT_KIND = 'ExportedBackup';

const snapshot = object(
  {
    volume: string({ description: "The plan's name of the volume." }),
    driver: string({ maxLength: 253, description: 'The CSI driver that knows the handle.' }),
    handle: string({ maxLength: 1024, description: "The storage system's own name of the snapshot." }),
    restoreSize: optional(string({ description: 'A Kubernetes quantity: the smallest claim that it restores into.' })),
    volumeMode: optional(oneOf(['Filesystem', 'Block'])),
  },
  { open: true },
);

/** One backup on its way to another cluster: its record, and what the storage calls its snapshots. */
export const EXPORTED_BACKUP = object(
  {
    apiVersion: oneOf(READABLE_API_VERSIONS),
    kind: oneOf([EXPORT_KIND]),
    exported: object(
      { at: timestamp(), registry: optional(string()), runnerVersion: string() },
      { open: true, description: 'When, from which registry and by which version it was written.' },
    ),
    snapshots: array(snapshot, { minItems: 1 }),
    record: RECORD,
    signature: optional(
      object(
        {
          algorithm: oneOf(['Ed25519']),
          key: string({
            description: 'Names the public key: the SHA-256 of its SPKI form, in part. It proves nothing.',
          }),
          value: string({
            description:
              'Base64, over the document without `signature`, as JSON with sorted keys and no spaces (RFC 8785), in UTF-8.',
          }),
        },
        { open: true },
      ),
    ),
  },
  { open: true, description: 'What `stillpoint export` writes and `stillpoint import` reads.' },
);

export type ExportedBackup = Infer<typeof EXPORTED_BACKUP>;
export type ExportedSnapshot = Infer<typeof snapshot>;
