/**
 * What the registry knows of a policy: what of its backups is kept. It lies beside the records, in Git as the policy is,
 * so that every prune goes by what holds now, and not by what held when a backup was taken.
 */
import { DNS_LABEL_PATTERN } from './names';
import { RETENTION } from './retention';
import { type Infer, object, oneOf, string } from './schema';
import { READABLE_API_VERSIONS } from './version';

/** The `kind` of a policy's document in the registry. */
export const POLICY_KIND = 'BackupPolicy';

/** The one key of its ConfigMap. */
export const POLICY_KEY = 'policy.yaml';

/** How long records of backups that failed or never came to an end are kept, to be looked at. */
export const FAILED_KEPT_DAYS = 14;

const label = string({ pattern: DNS_LABEL_PATTERN, maxLength: 63 });

/** What is kept of the backups of one policy. Open: what a newer version wrote is ignored. */
export const POLICY = object(
  {
    apiVersion: oneOf(READABLE_API_VERSIONS),
    kind: oneOf([POLICY_KIND]),
    metadata: object({ name: label, namespace: label }, { open: true }),
    spec: object(
      {
        database: label,
        timeZone: string({ description: 'Whose days, weeks and months are counted: that of the schedule.' }),
        retention: RETENTION,
      },
      { open: true },
    ),
  },
  { open: true, description: 'What is kept of the backups of one policy.' },
);

export type Policy = Infer<typeof POLICY>;

/** The name of a policy's document in the registry. No record is called so: these end with an id. */
export function policyDocumentName(namespace: string, policy: string): string {
  return `${namespace}.${policy}.policy`;
}

/** The pattern of {@link policyDocumentName}. */
export const POLICY_NAME_PATTERN = '^[^.]+\\..+\\.policy$';
