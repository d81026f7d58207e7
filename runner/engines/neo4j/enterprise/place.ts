/** Where a restored database goes: its name, whether that is free, and whether the server would fetch it. Pure. */
import { StillpointError } from '../../../errors';
import type { Finding } from '../../../ports';
import type { OnlineRestoreRequest } from '../../../tools/online-restore';
import type { Row } from '../connection';
import { SYSTEM } from './admin-lines';
import type { Known } from './selection';
import { URL_PROVIDER } from './statements';
import { localAlias, restoredName } from './switch';

type Named = Pick<OnlineRestoreRequest, 'database' | 'into' | 'alias'>;

/** The name that it gets. */
export function nameOfRestored({ database, into, alias }: Named, now: Date): string {
  const name = into ?? (alias === undefined ? database : restoredName(alias, now));
  if (name.toLowerCase() !== SYSTEM && database !== SYSTEM) return name.toLowerCase();
  throw new StillpointError('config-invalid', `the database ${SYSTEM} of a server that runs cannot be restored`, {
    hint: 'the vendor restores it into a server that is stopped: docs/neo4j.md',
  });
}

/** Throws restore-exists where something has the name, unless it may be replaced; and where the alias is not as it has to be. */
export function assertPlace(
  into: string,
  { alias, replace }: Pick<OnlineRestoreRequest, 'alias' | 'replace'>,
  known: Known,
): void {
  if (alias !== undefined) localAlias(alias, known);
  const taken = known.aliases.find(({ name }) => name.toLowerCase() === into);
  if (taken !== undefined) {
    throw exists(
      `${into} is an alias of ${taken.database}`,
      'restore under another name, and move the alias: switchAlias',
    );
  }
  if (!known.databases.some(({ name }) => name.toLowerCase() === into)) return;
  if (!replace) {
    throw exists(
      `the server has a database ${into}`,
      'restore under another name, or move an alias to it (switchAlias); replaceExisting drops the one that is there, of which the server keeps a dump',
    );
  }
  const pointing = known.aliases.filter(
    ({ database, location }) => location === 'local' && database.toLowerCase() === into,
  );
  if (pointing.length === 0) return;
  throw exists(
    `database ${into} cannot be dropped: ${pointing.map(({ name }) => `alias ${name}`).join(', ')} points to it`,
    'restore beside it, and move the alias: switchAlias',
  );
}

/** What `SHOW SETTINGS` says, undefined where it was not answered. Throws server-unsafe where nobody would fetch a seed. */
export function assertProvider(rows: readonly Row[] | undefined): readonly Finding[] {
  const [value] = rows?.map((row) => row.value) ?? [];
  const setting = 'dbms.databases.seed_from_uri_providers';
  if (typeof value !== 'string') {
    const message = `it could not be seen whether the server fetches seeds by HTTP: ${setting}`;
    return [{ severity: 'warning', code: 'server-unsafe', subject: setting, message }];
  }
  if (value.split(',').some((each) => each.trim().endsWith(URL_PROVIDER))) return [];
  throw new StillpointError('server-unsafe', `the server fetches no seeds by HTTP: ${setting} is "${value}"`, {
    hint: `add ${URL_PROVIDER} to it, and restart the server`,
  });
}

function exists(message: string, hint: string): StillpointError {
  return new StillpointError('restore-exists', message, { hint });
}
