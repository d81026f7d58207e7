/** Safety rule 3 where a name leads to more than one server. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { attemptBackup } from './harness/backup';
import { type Anything, apply, KINDS, patch, read } from './harness/cluster';
import { makeNamespace, type TestNamespace } from './harness/namespace';
import { applyPolicy } from './harness/policy';
import { startPostgres, type TestPostgres } from './harness/postgres';
import { eventually } from './harness/wait';

let namespace: TestNamespace;
let server: TestPostgres;
/** Another server with its own data, which a Service can be led to. */
let other: TestPostgres;

beforeAll(async () => {
  namespace = await makeNamespace('two');
  server = await startPostgres({ namespace: namespace.name, version: '17' });
  other = await startPostgres({ namespace: namespace.name, version: '17', name: 'other-db' });
});
afterAll(() => namespace[Symbol.asyncDispose]());

describe('rule 3: a Service with two servers behind it', () => {
  test('what is backed up is the server whose claims are named, or nothing', async () => {
    const both = 'both';
    const spec = { selector: { tier: both }, ports: [{ port: 5432 }] };
    await apply([{ ...SERVICE, metadata: { name: both, namespace: namespace.name }, spec } as Anything]);
    for (const { pod } of [server, other]) {
      await patch(KINDS.pod, pod, namespace.name, { metadata: { labels: { tier: both } } });
    }
    const address: string = (await read(SERVICE, both, namespace.name))?.spec.clusterIP;
    await eventually('the Service answers', async () => await answers(address, 5432));
    const client = await server.connect();
    const { rows } = await client.query<{ id: string }>(
      'SELECT system_identifier::text AS id FROM pg_control_system()',
    );
    await client.end();
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const policy = await applyPolicy(server, { name: `both-${attempt}`, database: `both-${attempt}`, host: both });
      const { record, error } = await attemptBackup(policy);
      if (record?.phase === 'succeeded') {
        expect(record.workload?.pod).toBe(server.pod);
        expect(record.serverIdentity?.systemIdentifier).toBe(rows[0]?.id);
      } else {
        // The one that answers is the other one, from the beginning or (by a second connection) at the end.
        expect(['volume-mismatch', 'server-changed']).toContain(error?.code);
      }
    }
  });
});

/** Whether something accepts connections there. */
async function answers(host: string, port: number): Promise<boolean> {
  const socket = connect({ host, port });
  try {
    await once(socket, 'connect');
    return true;
  } finally {
    socket.destroy();
  }
}

/** Which server answers is the Service's whim: so often that both do. */
const ATTEMPTS = 5;

const SERVICE = { apiVersion: 'v1', kind: 'Service' } as const;
