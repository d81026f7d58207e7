/** The `Database` resource of a copy. Pure. [doc: nuodb-cp-releases, docs/files/database.yaml] */
import type { BackupRecord } from '../../../src/contract';
import type { CopyOfResource, ResourceOfCopy } from '../../engine-copy';

const KIND = { apiVersion: 'cp.nuodb.com/v1beta1', kind: 'Database', plural: 'databases' } as const;

/** The fields of the spec for the volumes of a backup. */
const VOLUMES = { archive: 'archiveVolume', journal: 'journalVolume' } as const;

/** As recorded, but for its password, and for the sizes of the volumes that it is to run on. */
export function resource({ resource: recorded }: BackupRecord, { secretName, sizes }: CopyOfResource): ResourceOfCopy {
  const spec = recorded?.spec ?? {};
  const volumes = Object.entries(VOLUMES).flatMap(([name, field]): [string, unknown][] => {
    const volumeSize = sizes[name];
    return volumeSize === undefined ? [] : [[field, { ...(spec[field] as object | undefined), volumeSize }]];
  });
  return {
    ...KIND,
    spec: {
      ...spec,
      ...Object.fromEntries(volumes),
      ...(secretName === undefined ? {} : { passwordRef: { kind: 'Secret', name: secretName } }),
    },
    // The key that the control plane reads.
    keys: { password: 'data', recorded: 'recorded' },
  };
}
