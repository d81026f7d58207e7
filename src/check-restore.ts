/** What everything that restores checks of what it is told: the backup, and the claims that it makes. */
import type { Construct } from 'constructs';
import { checkLabel } from './checks';
import { BACKUP_ID_PATTERN, DNS_SUBDOMAIN_PATTERN } from './contract';
import { invalid } from './invalid';
import { takeName } from './objects';
import type { IRegistry } from './registry';

/** The backup that is restored, as all props of restores name it. */
interface Source {
  readonly database: string;
  readonly databaseNamespace?: string;
  readonly backup: string;
  readonly registry?: IRegistry;
}

/** Throws unless a backup can be meant, and the construct's id can be part of a Job's name. */
export function checkRestoreSource(
  scope: Construct,
  { database, databaseNamespace, backup, registry }: Source,
  { longest, otherwise = '' }: { readonly longest: number; readonly otherwise?: string },
): void {
  const { id } = scope.node;
  checkLabel(scope, 'id', id);
  checkLabel(scope, 'database', database);
  if (databaseNamespace !== undefined) checkLabel(scope, 'databaseNamespace', databaseNamespace);
  if (registry !== undefined) checkLabel(scope, 'registry', registry.namespaceName);
  if (id.length > longest) {
    throw invalid(
      scope,
      `has an id of ${id.length} characters, and a Job's name is made of it`,
      `give it at most ${longest}`,
    );
  }
  if (new RegExp(BACKUP_ID_PATTERN).test(backup)) return;
  const why = backup === 'latest' ? ', which means another backup each day' : ', which is no id';
  throw invalid(
    scope,
    `restores the backup "${backup}"${why}`,
    `give an id, as "20261121020000" (stillpoint list ${database})${otherwise}`,
  );
}

/** Throws unless claims of these names can be made, each once; takes the names. */
export function checkNewClaims(scope: Construct, namespace: string, claimNames: readonly string[]): void {
  for (const [index, claim] of claimNames.entries()) {
    if (!new RegExp(DNS_SUBDOMAIN_PATTERN).test(claim)) {
      throw invalid(scope, `would make a claim named "${claim}"`, 'take lower-case letters, digits, "-" and "."');
    }
    if (claimNames.indexOf(claim) !== index) {
      throw invalid(
        scope,
        `would make the claim "${claim}" twice`,
        'name each volume once, with a claimName of its own',
      );
    }
    takeName(scope, 'PersistentVolumeClaim', `${namespace}/${claim}`);
  }
}
