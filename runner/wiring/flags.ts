/** Options as they were typed. Pure. */
import type { RestoreCommandOptions } from '../cli/restore';
import { StillpointError } from '../errors';

/** The first of some options that was given, as its flag: `--to-namespace`, or `--no-backup-first` for what was turned off. */
export function givenFlag(options: Readonly<Record<string, unknown>>): string | undefined {
  const [name, value] = Object.entries(options).find(([, given]) => given !== undefined) ?? [];
  if (name === undefined) return undefined;
  return `--${value === false ? 'no-' : ''}${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** What is said of a dump is not left out of another restore without a word. */
export function refuseDumpFlags(options: RestoreCommandOptions): void {
  const { port, credentials, database, intoDatabase, checkFirst, intoOccupied, identity } = options;
  const flag = givenFlag({ port, credentials, database, intoDatabase, checkFirst, intoOccupied, identity });
  if (flag === undefined) return;
  throw new StillpointError('usage-invalid', `${flag} goes with --host alone`, {
    hint: 'give the server that the dump goes into as --host, or leave it out',
  });
}

/** What is said of a restore out of a store is not left out of another one without a word. */
export function refuseStoreFlags(options: RestoreCommandOptions): void {
  const { user, passwordFile, identityFile, tls, caFile } = options;
  const flag = givenFlag({ user, passwordFile, identityFile, tls, caFile });
  if (flag === undefined) return;
  throw new StillpointError('usage-invalid', `${flag} goes with --from alone`, {
    hint: 'a restore in the cluster takes Secrets: --credentials and --identity',
  });
}
