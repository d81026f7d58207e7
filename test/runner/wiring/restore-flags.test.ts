/** No flag of a restore is left out without a word: most of all none that was to keep it from doing something. */
import { expect, it } from 'vitest';
import type { RestoreCommandOptions } from '../../../runner/cli/restore';
import { systemClock } from '../../../runner/clock';
import type { Terminal } from '../../../runner/wiring/handlers/terminal';
import { inPlaceHandler } from '../../../runner/wiring/in-place';
import { restoreHandler } from '../../../runner/wiring/restore';
import { assertDump, restoreDumpByJob } from '../../../runner/wiring/restore-dump-job';
import { restoreFromStore } from '../../../runner/wiring/restore-from-store';
import type { World } from '../../../runner/wiring/world';
import { QuietLog } from '../../support/quiet-log';
import { record } from '../../support/record';

// Whatever went on to a cluster would fail for want of one, with another code.
const world = {
  clock: systemClock,
  log: new QuietLog(),
  signal: new AbortController().signal,
  env: {},
} as unknown as World;
const options = (more: Partial<RestoreCommandOptions>): RestoreCommandOptions => ({
  registry: 'stillpoint',
  output: 'table',
  timeout: 1000,
  kubeconfig: '/nowhere',
  ...more,
});

it.each<[Partial<RestoreCommandOptions>, string]>([
  [{ dryRun: true }, '--dry-run goes with --in-place alone'],
  [{ dryRun: true, undo: 'copy' }, '--dry-run goes with --in-place alone'],
  [{ backupFirst: true }, '--backup-first goes with --in-place alone'],
  [{ backupFirst: false }, '--no-backup-first goes with --in-place alone'],
  [{ oneMember: true }, '--one-member goes with --in-place alone'],
  [{ despiteControllers: true }, '--despite-controllers goes with --in-place alone'],
  [{ database: 'orders' }, '--database goes with --host alone'],
  [{ checkFirst: true }, '--check-first goes with --host alone'],
  [{ passwordFile: 'pw' }, '--password-file goes with --from alone'],
])('beside the original refuses %j', async (more, message) => {
  await expect(restoreHandler('orders-db/latest', options(more), world)).rejects.toMatchObject({
    code: 'usage-invalid',
    message,
  });
});

it.each<[Partial<RestoreCommandOptions>, string]>([
  [{ toNamespace: 'staging' }, '--to-namespace does not go with --in-place'],
  [{ start: true }, '--start does not go with --in-place'],
  [{ intoOccupied: true }, '--into-occupied goes with --host alone'],
  [{ user: 'me' }, '--user goes with --from alone'],
])('in place refuses %j', async (more, message) => {
  const refused = inPlaceHandler('orders-db/latest', options({ ...more, inPlace: true }), world, {} as Terminal);
  await expect(refused).rejects.toMatchObject({ code: 'usage-invalid', message });
});

it.each<[Partial<RestoreCommandOptions>, string]>([
  [{}, '--from needs what the dump goes into: either --host or --directory'],
  [{ host: 'db', directory: '/data' }, '--from needs what the dump goes into: either --host or --directory'],
  [{ host: 'db' }, '--host needs the user who restores'],
  [{ host: 'db', user: 'me', claim: ['copy'] }, '--claim is of a cluster, and --from asks none'],
  [{ host: 'db', user: 'me', inPlace: true }, '--in-place is of a cluster, and --from asks none'],
  [{ host: 'db', user: 'me', credentials: 'admin' }, '--credentials is of a cluster, and --from asks none'],
  [{ directory: '/data', database: 'orders' }, '--database is of a server, and --directory of a file'],
  [{ directory: '/data', intoOccupied: true }, '--into-occupied is of a server, and --directory of a file'],
])('out of a store refuses %j', async (more, message) => {
  const refused = restoreFromStore('orders-dump/latest', { ...options(more), from: 'file:///nowhere' }, world);
  await expect(refused).rejects.toMatchObject({ code: 'usage-invalid', message });
});

it('into a server in the cluster refuses what is of a restore out of a store', async () => {
  const refused = restoreDumpByJob('orders-dump/latest', { ...options({ user: 'me' }), host: 'copy-db' }, world);
  await expect(refused).rejects.toMatchObject({ code: 'usage-invalid', message: '--user goes with --from alone' });
});

it('into a server refuses what is said of claims', async () => {
  const refused = restoreDumpByJob('orders-dump/latest', { ...options({ claim: ['copy'] }), host: 'copy-db' }, world);
  await expect(refused).rejects.toMatchObject({ code: 'usage-invalid', message: expect.stringContaining('--claim') });
});

it.each([
  [record({ mode: 'dump', dump: { tool: '2025.10', databases: [] } }), 'Neo4jOnlineRestore'],
  [record({}), 'leave --host out'],
])('a server named for what is no dump is refused, with what there is to do', (stored, hint) => {
  expect(() => assertDump(stored)).toThrow(
    expect.objectContaining({ code: 'usage-invalid', hint: expect.stringContaining(hint) }),
  );
  expect(() => assertDump(record({ mode: 'dump', dump: { tool: 'pg_dumpall' } }))).not.toThrow();
});
