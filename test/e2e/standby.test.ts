/** Safety rules that show on a standby, which can be promoted, archives, and follows a primary: rules 6 and 13. */
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { attemptEnd, succeeded, takeBackup } from './harness/backup';
import { KINDS, read, remove } from './harness/cluster';
import { openGate } from './harness/gate';
import { startBackup } from './harness/job';
import { makeNamespace, type TestNamespace } from './harness/namespace';
import { applyPolicy } from './harness/policy';
import { startOnClaims, startPostgres, type TestPostgres } from './harness/postgres';
import { stillpoint } from './harness/stillpoint';
import { eventually } from './harness/wait';

/** What makes a server reach out; a copy that did so too would spoil an archive, or follow a primary. */
const REACHING_OUT = {
  archive_mode: 'on',
  archive_command: 'touch /tmp/archived-%f',
  primary_conninfo: 'host=nobody-home user=stillpoint password=hunter2',
  synchronous_standby_names: 'somebody',
};

let namespace: TestNamespace;
let server: TestPostgres;

beforeAll(async () => {
  namespace = await makeNamespace('standby');
  server = await startPostgres({ namespace: namespace.name, version: '17' });
  const client = await server.connect();
  for (const [name, value] of Object.entries(REACHING_OUT)) await client.query(`ALTER SYSTEM SET ${name} = '${value}'`);
  await client.query("COPY (SELECT 1) TO PROGRAM 'touch standby.signal'");
  await client.end();
  await restart();
});
afterAll(() => namespace[Symbol.asyncDispose]());

async function restart(): Promise<void> {
  const before = await read(KINDS.pod, server.pod, namespace.name);
  await remove(KINDS.pod, server.pod, namespace.name);
  await eventually(
    'the server is back',
    async () => {
      const pod = await read(KINDS.pod, server.pod, namespace.name);
      return pod?.metadata?.uid !== before?.metadata?.uid && pod?.status?.containerStatuses?.[0]?.ready === true;
    },
    { seconds: 120 },
  );
}

test('rule 13: the copy of a standby that archives follows nobody, archives nothing, and waits for nobody', async () => {
  const original = await server.connect();
  const { rows: settings } = await original.query('SELECT pg_is_in_recovery() AS standby');
  expect(settings).toEqual([{ standby: true }]);
  await original.end();
  const policy = await applyPolicy(server, { name: 'follower', database: 'follower' });
  const { id } = succeeded(await takeBackup(policy));
  const restored = await stillpoint('restore', `${namespace.name}/${policy.database}/${id}`, '--claim', 'copy');
  expect(restored, restored.stderr).toMatchObject({ exitCode: 0 });

  const copy = await startOnClaims({ name: 'copy', namespace: namespace.name, image: server.image }, { data: 'copy' });
  onTestFinished(() => copy.end());
  const { rows } = await copy.query<{ name: string; setting: string }>(
    'SELECT name, setting FROM pg_settings WHERE name = ANY ($1)',
    [[...Object.keys(REACHING_OUT), 'max_logical_replication_workers']],
  );
  expect(Object.fromEntries(rows.map(({ name, setting }) => [name, setting]))).toEqual({
    archive_mode: 'off',
    archive_command: '(disabled)',
    primary_conninfo: '',
    synchronous_standby_names: '',
    max_logical_replication_workers: '0',
  });
  // A commit that waited for a standby would never return.
  await copy.query('CREATE TABLE own ()');
  await copy.query('SELECT pg_switch_wal()');
  const { rows: done } = await copy.query(
    'SELECT archived_count + failed_count AS archived, pg_is_in_recovery() AS standby FROM pg_stat_archiver',
  );
  expect(done).toEqual([{ archived: '0', standby: false }]);
});

// Last: from here on the server is a primary.
test('rule 6: a standby that is promoted while it is cut: the proof fails, and there is no backup', async () => {
  const policy = await applyPolicy(server, { name: 'promoted', database: 'promoted' });
  await using gate = await openGate(namespace.name);
  const snapshot = gate.hold(({ resource, operation, name }) => {
    return resource === 'volumesnapshots' && operation === 'CREATE' && name.startsWith('promoted-');
  });
  const end = attemptEnd(policy, await startBackup(policy));
  const { allow } = await snapshot;
  const client = await server.connect();
  await client.query('ALTER SYSTEM RESET synchronous_standby_names');
  await client.query('SELECT pg_promote()');
  await client.end();
  allow();
  const { pod, record, error } = await end;
  expect(error).toMatchObject({ code: 'proof-failed', message: expect.stringContaining('role went from standby') });
  expect([pod.exitCode, record?.phase]).toEqual([4, 'failed']);
});
