/** The rights to keep with a backup what a control plane had made its database from. */
import { type AccessNeed, inNamespace } from './access-needs';
import type { DatabaseResource } from './job-config';

export function resourceAccess(resources: readonly DatabaseResource[]): readonly AccessNeed[] {
  const read = resources.map(
    ({ apiVersion, plural, name }): AccessNeed => ({
      ...inNamespace(
        apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : '',
        plural,
        ['get'],
        'keep the resource that the database is made from, for a restore when the original is gone',
      ),
      names: [name],
    }),
  );
  return resources.some(({ passwordFile }) => passwordFile !== undefined) ? [...read, KEEP_PASSWORDS] : read;
}

/** Nobody's account that takes backups reads them again: whoever restores does so with rights of their own. */
const KEEP_PASSWORDS: AccessNeed = {
  scope: 'registry',
  apiGroup: '',
  resource: 'secrets',
  verbs: ['create'],
  // RBAC cannot limit that by name: src/secret-guard.ts does.
  why: "keep the administrator's password beside the record, in a Secret that this account cannot read: the admission policy of the registry keeps it to names of its own namespace",
};
