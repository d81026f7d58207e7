/**
 * Dumps of a Neo4j Community on the real server and its real tool: while the server writes, of a copy that the storage makes of its
 * claim, and back into claims that no server has seen.
 */
import { Size } from 'cdk8s';
import { Neo4jDump, type Neo4jDumpProps, Neo4jDumpRestore, type Neo4jDumpRestoreProps, Neo4jStore } from 'stillpoint';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Anything, apply, KINDS, list, read } from './harness/cluster';
import { DumpScene, type Policy, PREFIX, type RestoreEnd } from './harness/dump-scene';
import { NEO4J_IMAGE, startNeo4j, startNeo4jOnClaim, type TestNeo4j } from './harness/neo4j';
import { NEVER } from './harness/never';
import type { TestS3 } from './harness/s3';
import { stillpointOf } from './harness/stillpoint';

const ROWS = 200;

/** That of the harness's claims. */
const SIZE = Size.gibibytes(1);

let scene: DumpScene;
let s3: TestS3;
let graph: TestNeo4j;

beforeAll(async () => {
  scene = await DumpScene.start('neo4j-dump');
  ({ s3 } = scene);
  graph = await startNeo4j({ namespace: scene.namespace });
  const client = await graph.connect();
  await client.prepare();
  for (let number = 1; number <= ROWS; number++) await client.add(number);
  await client.end();
});
afterAll(() => scene?.[Symbol.asyncDispose]());

function policy(id: string, props: Partial<Neo4jDumpProps> = {}): Promise<Policy> {
  return scene.policy(
    id,
    (chart, shared) =>
      new Neo4jDump(chart, id, {
        ...shared,
        store: Neo4jStore.copyOfClaim(graph.claim, { size: SIZE }),
        serverImage: NEO4J_IMAGE,
        schedule: NEVER,
        ...props,
      }),
  );
}

async function claim(name: string): Promise<string> {
  const spec = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } };
  await apply([{ ...KINDS.claim, metadata: { name, namespace: scene.namespace }, spec } as Anything]);
  return name;
}

function restore(
  id: string,
  record: { readonly database: string; readonly id: string },
  props: Pick<Neo4jDumpRestoreProps, 'claimName'>,
): Promise<RestoreEnd> {
  return scene.restore(
    id,
    (chart, shared) =>
      new Neo4jDumpRestore(chart, id, {
        ...shared,
        database: record.database,
        backup: record.id,
        serverImage: NEO4J_IMAGE,
        ...props,
      }),
  );
}

test('while its server runs: of a copy that goes with its pod, and back with exactly its nodes and its users', async () => {
  const [data, system] = await Promise.all([
    policy('graph-dump'),
    policy('graph-system-dump', { onlyDatabase: 'system' }),
  ]);
  const dumped = await scene.good(data);
  const { record } = dumped;
  expect(record).toMatchObject({
    engine: 'neo4j',
    mode: 'dump',
    dump: { tool: expect.stringMatching(/^5\.\d+/), only: 'neo4j', image: NEO4J_IMAGE },
    position: { transaction: expect.stringMatching(/^\d+$/) },
    objects: [{ compression: 'none', location: expect.stringMatching(/\/dump\.dump$/) }],
  });
  const stored = await s3.bytes(`${PREFIX}/${record.objects?.[0]?.key}`);
  expect(stored.subarray(0, 4).toString()).toBe('DZV1');
  const { record: users } = await scene.good(system);

  const claimName = await claim('data-graph-copy');
  for (const [id, of] of [
    ['graph-copy', record],
    ['graph-copy-users', users],
  ] as const) {
    const { ended, pod } = await restore(id, of, { claimName });
    expect(ended, JSON.stringify(pod.log.slice(-2))).toBe('Complete');
  }
  // What is there is not restored over.
  const again = await restore('graph-again', record, { claimName });
  expect(again.pod.log).toContainEqual(expect.objectContaining({ code: 'restore-exists' }));

  const { namespace } = scene;
  // Its login is the original's: the password of the Secret counts only where there are no users yet.
  const copy = await startNeo4jOnClaim({
    name: 'graph-copy',
    namespace,
    claim: claimName,
    credentials: graph.credentials,
  });
  expect(await copy.numbers()).toEqual(Array.from({ length: ROWS }, (_, index) => index + 1));
  await copy.end();
});

test('is looked at by doctor, and its copies are those of pods that are there', async () => {
  const { name, database } = await policy('graph-doctor');
  const answer = await stillpointOf(scene.registry, 'doctor', database, '-n', scene.namespace);
  expect(answer.exitCode, answer.stdout + answer.stderr).toBe(0);
  expect(answer.stdout).toMatch(/5\.\d+\.\d+/);
  const pods = new Set((await list(KINDS.pod, scene.namespace)).map(({ metadata }) => metadata?.name));
  const copies = (await list(KINDS.claim, scene.namespace)).flatMap(({ metadata }) => metadata?.ownerReferences ?? []);
  expect(copies.filter((owner) => owner.kind === 'Pod' && !pods.has(owner.name))).toEqual([]);
  expect(name).toBe('graph-doctor-backup');
});

test('of a claim that a server has open fails, and leaves nothing in the store', async () => {
  const before = await s3.keys();
  // On its node: on another one the volume is not to be had as long as the server has it.
  const node = (await read(KINDS.pod, graph.pod, scene.namespace))?.spec.nodeName;
  const open = await policy('graph-open', {
    store: Neo4jStore.claim(graph.claim),
    nodeSelector: { 'kubernetes.io/hostname': node },
  });
  const { record, pod } = await scene.attempt(open);
  expect([pod.exitCode, record?.phase]).toEqual([4, 'failed']);
  expect(record?.error?.message).toMatch(/is in use/);
  expect(await s3.keys()).toEqual(before);
});
