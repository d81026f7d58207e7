/**
 * Dumps of Redis and Valkey on the cluster: out by a Job, as a user who may read alone, and back as the file of a server that has not
 * started, by a Job and by a machine that knows no cluster.
 */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Secret } from 'cdk8s-plus-28';
import { RedisDump, RedisDumpRestore } from 'stillpoint';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { type Anything, apply, KINDS } from './harness/cluster';
import { DumpScene, type RestoreEnd } from './harness/dump-scene';
import { NEVER } from './harness/never';
import { type RedisClient, type RedisImage, startRedis, startRedisOnClaim } from './harness/redis';
import { stillpointAlone } from './harness/stillpoint';

/** What docs/dumps.md tells users to grant, and no more. */
const RULES = ['+info', '+config|get', '+client|id', '+client|info', '+ping', '+replconf', '+psync', '+sync'];

const KEYS = Array.from({ length: 500 }, (_, n) => `key:${n}`);

let scene: DumpScene;
beforeAll(async () => {
  scene = await DumpScene.start('dump-keys');
});
afterAll(() => scene?.[Symbol.asyncDispose]());

async function fill(client: RedisClient): Promise<void> {
  for (const [n, key] of KEYS.entries()) await client.send('SET', key, `value ${n} ö 🙂`);
  await client.send('HSET', 'hash', 'a', '1', 'b', '2');
  await client.send('RPUSH', 'list', 'x', 'y', 'z');
  await client.send('ZADD', 'scores', '1.5', 'one', '-2', 'two');
}

/** All that {@link fill} has written. */
async function whatIsIn(client: RedisClient): Promise<readonly unknown[]> {
  return [
    await client.send('DBSIZE'),
    await client.send('MGET', ...KEYS),
    await client.send('HGETALL', 'hash'),
    await client.send('LRANGE', 'list', '0', '-1'),
    await client.send('ZRANGE', 'scores', '0', '-1', 'WITHSCORES'),
  ];
}

test.each<[flavour: string, image: RedisImage]>([
  ['redis', 'redis:8'],
  ['valkey', 'valkey:8'],
])('a dump of %s is taken by a user who may read alone, and a new server starts on it', async (flavour, image) => {
  const { namespace } = scene;
  const id = `${flavour}-dump`;
  const server = await startRedis({ namespace, image, name: `${flavour}-db` });
  const client = await server.connect();
  onTestFinished(() => client.end());
  await fill(client);
  await client.send('ACL', 'SETUSER', 'dumper', 'on', '>dumps-alone', 'resetchannels', ...RULES);
  await scene.login(`${flavour}-dumper`, 'dumper', 'dumps-alone');
  const own = await scene.policy(
    id,
    (chart, shared) =>
      new RedisDump(chart, id, {
        ...shared,
        host: server.name,
        credentials: Secret.fromSecretName(chart, 'login', `${flavour}-dumper`),
        serverImage: image,
        schedule: NEVER,
      }),
  );
  const { record } = await scene.good(own);
  expect(record).toMatchObject({ engine: 'redis', flavour, dump: { image }, warnings: [] });
  const [object] = record.objects ?? [];
  expect(object?.location).toMatch(/\/dump\.rdb\.zst$/);

  // The bucket alone is enough: the file that it was, on a machine that knows no cluster.
  const folder = await mkdtemp(join(tmpdir(), 'alone-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await mkdir(join(folder, 'data'));
  const alone = await stillpointAlone(
    ...['restore', `${namespace}/${id}/latest`, '--kubeconfig', '/nowhere'],
    ...['--from', await scene.location(folder), '--directory', join(folder, 'data')],
  );
  expect(alone, alone.stderr).toMatchObject({ exitCode: 0 });
  const file = await readFile(join(folder, 'data', 'dump.rdb'));
  expect(createHash('sha256').update(file).digest('hex')).toBe(object?.plainSha256);

  const claimName = `data-${flavour}-copy`;
  await apply([
    {
      ...KINDS.claim,
      metadata: { name: claimName, namespace },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    } as Anything,
  ]);
  const into = (name: string): Promise<RestoreEnd> =>
    scene.restore(
      name,
      (chart, shared) =>
        new RedisDumpRestore(chart, name, { ...shared, database: record.database, backup: record.id, claimName }),
    );
  const { ended, pod } = await into(`${flavour}-copy`);
  expect(ended, JSON.stringify(pod.log.slice(-2))).toBe('Complete');
  const again = await into(`${flavour}-again`);
  expect(again.pod.log).toContainEqual(expect.objectContaining({ code: 'restore-exists' }));
  const copy = await startRedisOnClaim({ namespace, image, name: `${flavour}-copy`, appendOnly: false }, claimName);
  onTestFinished(() => copy.end());
  const expected = await whatIsIn(client);
  expect(expected[0]).toBe(KEYS.length + 3);
  expect(await whatIsIn(copy)).toEqual(expected);
});
