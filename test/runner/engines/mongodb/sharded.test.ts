import { describe, expect, it } from 'vitest';
import { checkServer } from '../../../../runner/engines/mongodb/checks';
import { serverFacts } from '../../../../runner/engines/mongodb/facts';
import { heldBalancer, isBalancer } from '../../../../runner/engines/mongodb/sharded/balancer';
import { clusterFindings } from '../../../../runner/engines/mongodb/sharded/checks';
import { clusterProblem } from '../../../../runner/engines/mongodb/sharded/open';
import { locksCluster, type RouterFacts } from '../../../../runner/engines/mongodb/sharded/router';
import { type ShardMap, shardMapOf, shardMapText } from '../../../../runner/engines/mongodb/sharded/shard-map';
import { serverCommand } from '../../../../runner/engines/mongodb/throw-away';
import type { BackupRecord } from '../../../../src/contract';

describe('the map of shards', () => {
  const map = {
    'shard-b': 'b/b-0:27017',
    config: 'cfg/cfg-0:27019,cfg-1:27019',
    'shard-a': 'a/a-0:27018',
  };

  it('has the config servers first, and the shards by name', () => {
    expect(shardMapOf({ map })).toEqual([
      { name: 'config', setName: 'cfg', hosts: ['cfg-0:27019', 'cfg-1:27019'] },
      { name: 'shard-a', setName: 'a', hosts: ['a-0:27018'] },
      { name: 'shard-b', setName: 'b', hosts: ['b-0:27017'] },
    ]);
  });

  it('is the same in a line when a member has come or gone', () => {
    const before = shardMapText(shardMapOf({ map }));
    expect(before).toBe('config=cfg shard-a=a shard-b=b');
    expect(shardMapText(shardMapOf({ map: { ...map, config: 'cfg/cfg-2:27019' } }))).toBe(before);
  });

  it.each([
    ['no config servers', { 'shard-a': 'a/a-0:27018' }, 'no config servers (shard-a)'],
    ['nothing', {}, 'no config servers ()'],
    ['no shard', { config: 'cfg/cfg-0:27019' }, 'names no shard beside the config servers'],
    ['a shard that is no set', { config: 'cfg/cfg-0:27019', old: 'old-0:27018' }, 'no replica set for old'],
  ])('is refused with %s', (_what, wrong, says) => {
    expect(() => shardMapOf({ map: wrong })).toThrow(says);
  });
});

describe('whether a mongos locks its shards', () => {
  it.each([
    ['4.4.29', false],
    ['5.0.21', false],
    ['5.0.22', true],
    ['5.3.1', false],
    ['6.0.10', false],
    ['6.0.11', true],
    ['6.2.0', false],
    ['7.0.1', false],
    ['7.0.2', true],
    ['7.0.14-rc0', true],
    ['7.1.0', true],
    ['8.0.4', true],
    ['unknown', false],
  ])('%s: %s', (version, locks) => {
    expect(locksCluster(version)).toBe(locks);
  });
});

describe('what a policy may ask of a cluster', () => {
  const full = { mode: 'full' };

  it.each([
    ['full', undefined],
    ['off', undefined],
    ['autoSplitOnly', 'server-unsafe'],
    ['unknown', 'server-unsafe'],
  ])('with its balancer in mode %s', (mode, code) => {
    for (const options of [{ member: 'primary' }, { approximate: 'true' }])
      expect(clusterProblem({ version: '8.0.4', balancer: { mode } }, options)?.code).toBe(code);
  });

  it('names nothing that a member of a group cannot have, without saying so', () => {
    for (const version of ['5.0.21', '8.0.4']) {
      expect(clusterProblem({ version, balancer: full })?.hint).toMatch(/in a policy of its own.* approximate: true/);
    }
  });

  it.each([
    ['the primaries', '8.0.4', { member: 'primary' }, undefined],
    ['nothing said of the member', '8.0.4', {}, 'member-unsuitable'],
    ['secondaries where there are some', '8.0.4', { member: 'secondaryPreferred' }, 'member-unsuitable'],
    ['an old mongos', '5.0.21', { member: 'primary' }, 'server-version-unsupported'],
    ['an old mongos, approximate', '5.0.21', { approximate: 'true' }, undefined],
    ['secondaries, approximate', '8.0.4', { approximate: 'true', member: 'secondary' }, undefined],
    ['no lock', '8.0.4', { lock: 'false', member: 'primary' }, 'config-invalid'],
    ['no lock, approximate', '8.0.4', { lock: 'false', approximate: 'true' }, 'config-invalid'],
  ])('%s', (_what, version, options, code) => {
    expect(clusterProblem({ version, balancer: full }, options)?.code).toBe(code);
  });
});

const PRIVILEGES = [
  { resource: { cluster: true }, actions: ['fsync', 'unlock', 'fsyncUnlock', 'getShardMap'] },
  { resource: { db: 'config', collection: 'settings' }, actions: ['find', 'update'] },
];
const MAP: ShardMap = [
  { name: 'config', setName: 'cfg', hosts: ['cfg-0:27017'] },
  { name: 'shard-a', setName: 'a', hosts: ['a-0:27017'] },
];
const facts = (changes: Partial<RouterFacts> = {}): RouterFacts => ({
  version: '8.0.4',
  map: MAP,
  balancer: { mode: 'full', automerge: true },
  privileges: PRIVILEGES,
  user: 'stillpoint@admin',
  ...changes,
});

describe('the checks of a cluster', () => {
  const found = (changes: Partial<RouterFacts>, approximate = false): string[] =>
    [...clusterFindings({ facts: facts(changes), approximate })].map(
      ({ severity, code, message }) => `${severity} ${code}: ${message}`,
    );

  it('find nothing where the roles of the documentation are granted, or any of more', () => {
    expect(found({})).toEqual([]);
    expect(found({ privileges: undefined })).toEqual([]);
    expect(found({ privileges: [{ resource: { anyResource: true }, actions: ['anyAction'] }] })).toEqual([]);
  });

  it('name each right that is missing, and where', () => {
    expect(found({ privileges: [] })).toEqual([
      'error privilege-missing: user stillpoint@admin may not do getShardMap on the cluster, find on config.settings, update on config.settings, fsync on the cluster, unlock or fsyncUnlock on the cluster at the mongos',
    ]);
    expect(
      found({
        privileges: [PRIVILEGES[0] ?? {}, { resource: { db: 'books', collection: '' }, actions: ['find', 'update'] }],
      }),
    ).toHaveLength(1);
  });

  it.each(['unlock', 'fsyncUnlock'])('ask for one of the rights by which a mongos unlocks, as %s', (unlock) => {
    const granted = (actions: readonly string[]): string[] =>
      found({ privileges: [{ resource: { cluster: true }, actions }, PRIVILEGES[1] ?? {}] });
    expect(granted(['fsync', 'getShardMap', unlock])).toEqual([]);
    expect(granted(['fsync', 'getShardMap'])).toEqual([
      expect.stringContaining('unlock or fsyncUnlock on the cluster'),
    ]);
  });

  it('warn of an approximate one, which asks for less', () => {
    const less = [{ resource: { cluster: true }, actions: ['getShardMap'] }, PRIVILEGES[1] ?? {}];
    expect(found({ privileges: less }, true)).toEqual([
      expect.stringMatching(/^warning server-unsafe: .* one after another/),
    ]);
  });
});

describe('a server of a cluster', () => {
  const server = serverFacts({
    hello: { setName: 'a', me: 'a-0:27018' },
    status: { host: 'a-0', version: '8.0.4', storageEngine: { name: 'wiredTiger' } },
    parsed: { sharding: { clusterRole: 'shardsvr' } },
  });
  const check = (part: { leads: boolean } | undefined): readonly string[] =>
    checkServer({
      server,
      state: { privileges: undefined, user: 'stillpoint@admin', locked: false, longWrites: [] },
      request: { id: 'x', volumes: [], layout: 'auto', groupClass: false, atomicStore: true, options: {} },
      chosen: { majorityWaits: false },
      part: part === undefined ? undefined : { ...part, cluster: { facts: facts(), approximate: false } },
    }).flatMap(({ severity, hint }) => (severity === 'error' ? [hint ?? ''] : []));

  it('is refused alone, with whom to name instead', () => {
    expect(check(undefined)).toEqual([expect.stringContaining('name a mongos of the cluster as the host')]);
    expect(check({ leads: false })).toEqual([]);
    expect(check({ leads: true })).toEqual([]);
  });

  it('is looked at by a server that does not mind whose files they are', () => {
    const record = {
      settings: { clusterRole: 'shardsvr' },
      serverIdentity: { setName: 'a' },
    } as unknown as BackupRecord;
    const prepared = { dataPath: '/data/db', uid: 999, gid: 999, done: [] };
    expect(serverCommand(record, prepared, '/run').command).toContain('skipShardingConfigurationChecks=true');
    const alone = { ...record, settings: {} };
    expect(serverCommand(alone, prepared, '/run').command).not.toContain('skipShardingConfigurationChecks=true');
  });
});

describe('the balancer in a record', () => {
  it('is told from a lock, and outlives the mongos that stopped it', () => {
    const connection = { host: 'mongos', port: 27017, usernameFile: '' };
    const target = { connection, username: '', password: undefined, tls: undefined };
    const held = heldBalancer(target, { mode: 'full', automerge: false }, '65a0');
    expect(held).toMatchObject({ host: 'mongos', port: 27017, outlivesServer: true });
    expect(held.undo).toEqual({ kind: 'balancer', automerge: 'false', configSet: '65a0' });
    expect(heldBalancer(target, { mode: 'full', automerge: true }, undefined).undo).not.toHaveProperty('configSet');
    expect(isBalancer(held)).toBe(true);
    expect(isBalancer({ ...held, undo: { locks: '1' } })).toBe(false);
  });
});
