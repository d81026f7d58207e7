/**
 * Online backups of Neo4j's Enterprise edition into a store that speaks S3. **The server and neo4j-admin are stand-ins**
 * (harness/neo4j-enterprise.ts); the Jobs, the scratch volumes, the store, the encryption and the pruner are real.
 */

import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { Size } from 'cdk8s';
import { Secret } from 'cdk8s-plus-28';
import { Neo4jOnlineBackup, type Neo4jOnlineBackupProps, Neo4jOnlineRestore } from 'stillpoint';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DumpScene, type Policy, PREFIX, type RestoreEnd } from './harness/dump-scene';
import { ADMIN_IMAGE, addTool, backupServerOf, startGraph, type TestGraph } from './harness/neo4j-enterprise';
import { NEVER } from './harness/never';
import { stillpointOf } from './harness/stillpoint';
import { eventually } from './harness/wait';

const SCRATCH = { size: Size.mebibytes(64) };

let scene: DumpScene;
let graph: TestGraph;
let recipient: string;

beforeAll(async () => {
  scene = await DumpScene.start('neo4j-uploads');
  const identity = await generateX25519Identity();
  recipient = await identityToRecipient(identity);
  await scene.secret('identity', { 'key.txt': identity });
  graph = await startGraph(scene.namespace);
});
afterAll(() => scene?.[Symbol.asyncDispose]());

function policy(id: string, props: Partial<Neo4jOnlineBackupProps>): Promise<Policy> {
  return scene.policy(id, (chart, shared) => {
    const backup = new Neo4jOnlineBackup(chart, id, {
      ...shared,
      host: graph.name,
      credentials: Secret.fromSecretName(chart, 'login', graph.credentials),
      serverImage: ADMIN_IMAGE,
      backupServers: [backupServerOf(graph)],
      scratch: SCRATCH,
      schedule: NEVER,
      ...props,
    });
    addTool(chart);
    return backup;
  });
}

function restore(id: string, backup: string, of: Policy, identity?: string): Promise<RestoreEnd> {
  return scene.restore(id, (chart, shared) => {
    const restored = new Neo4jOnlineRestore(chart, id, {
      ...shared,
      host: graph.name,
      credentials: Secret.fromSecretName(chart, 'login', graph.credentials),
      serverImage: ADMIN_IMAGE,
      database: of.database,
      backup,
      onlyDatabase: 'customer1',
      intoDatabase: id,
      scratch: SCRATCH,
      ...(identity === undefined ? {} : { identity: Secret.fromSecretName(chart, 'identity', identity) }),
    });
    addTool(chart);
    return restored;
  });
}

describe('Neo4j Enterprise into an object store, by stand-ins for the server and neo4j-admin', () => {
  test('is uploaded encrypted, restored by its identity, and goes from the store when it is deleted', async () => {
    const secret = await policy('secret-customers', { databases: ['customer?'], recipients: [recipient] });
    const { record } = await scene.good(secret);
    expect(record.dump?.databases?.map(({ name }) => name)).toEqual(['customer1', 'customer2']);
    const keys = (record.objects ?? []).map(({ key }) => `${PREFIX}/${key}`);
    expect(keys).toEqual([
      expect.stringMatching(/\/customer1-.*\.backup\.age$/),
      expect.stringMatching(/\/customer2-/),
    ]);
    const inStore = async (): Promise<readonly string[]> =>
      (await scene.s3.keys()).filter((key) => key.includes('/secret-customers/'));
    expect(await inStore()).toEqual(expect.arrayContaining(keys));
    expect(await inStore()).toHaveLength(4);
    expect((await scene.s3.bytes(keys[0] ?? '')).toString('latin1')).toMatch(/^age-encryption\.org\/v1/);

    const without = await restore('without-key', record.id, secret);
    expect([without.ended, without.pod.exitCode]).toEqual(['Failed', 3]);
    expect(without.pod.log).toContainEqual(expect.objectContaining({ code: 'key-unusable' }));
    const { ended, pod } = await restore('with-key', record.id, secret, 'identity');
    expect(ended, JSON.stringify(pod.log.slice(-3))).toBe('Complete');
    expect((await graph.state()).databases).toMatchObject({ 'with-key': { lastCommittedTxn: 10 } });
    expect((await graph.state()).databases).not.toHaveProperty('without-key');

    // The first is the last good one, which nobody deletes: it has to have a successor.
    await scene.good(secret);
    const id = `${secret.database}/${record.id}`;
    const deleted = await stillpointOf(scene.registry, 'delete', id, '-n', scene.namespace, '--yes');
    expect(deleted.exitCode, deleted.stderr).toBe(0);
    await eventually('its objects are gone', async () => !(await inStore()).some((key) => key.includes(record.id)));
    expect((await inStore()).filter((key) => key.endsWith('.backup.age'))).toHaveLength(2);
  });
});
