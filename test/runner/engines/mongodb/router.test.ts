/** A mongos that is a table of answers, in the shapes that its sources have: the driver in between is the real one. */
import { Long, ObjectId } from 'mongodb';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Target } from '../../../../runner/engine';
import { Connection } from '../../../../runner/engines/mongodb/connection';
import { openSession } from '../../../../runner/engines/mongodb/session';
import { heldBalancer, openBalancerGuard } from '../../../../runner/engines/mongodb/sharded/balancer';
import { Cluster } from '../../../../runner/engines/mongodb/sharded/cluster';
import { openMemberOfShard } from '../../../../runner/engines/mongodb/sharded/open';
import { Router, type RouterFacts } from '../../../../runner/engines/mongodb/sharded/router';
import type { Held } from '../../../../src/contract';
import { Refused } from '../../../wire/frames';
import { type Answers, startWireServer, type WireServer } from '../../../wire/server';

const signal = new AbortController().signal;
const log = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() } as never;
const servers: WireServer[] = [];
const routers: Router[] = [];

afterEach(async () => {
  await Promise.all(routers.splice(0).map(({ connection }) => connection.close()));
  await Promise.all(servers.splice(0).map((server) => server[Symbol.asyncDispose]()));
});

function targetAt(port: number, more: Partial<Target> = {}): Target {
  const connection = { host: '127.0.0.1', port, usernameFile: '', connectTimeoutSeconds: 60 };
  return { connection, username: '', password: undefined, tls: undefined, ...more };
}

async function serve(answers: Answers): Promise<WireServer> {
  const server = await startWireServer(answers);
  servers.push(server);
  return server;
}

async function serveRouter(answers: Answers): Promise<WireServer> {
  return await serve({ hello: () => ({ msg: 'isdbgrid' }), ...answers });
}

async function routerTo({ port }: WireServer): Promise<Router> {
  const router = new Router(await Connection.open(targetAt(port), { host: '127.0.0.1', port, name: 'x' }, signal));
  routers.push(router);
  return router;
}

const NOT_LOCKED = { ok: 0, code: 20, codeName: 'IllegalOperation', errmsg: 'fsyncUnlock called when not locked' };

/** A mongos that could not lock: the code of the shards is in `all` alone. [src: cluster_fsync_cmd.cpp] */
function notLocked(code: number, message: string): Refused {
  return new Refused(code, '', message, { numFiles: 1, all: { raw: {}, code, codeName: 'x' } });
}

describe('the lock of a mongos', () => {
  it('is asked for with a limit that the shards keep themselves, and answered for each of them', async () => {
    const raw = {
      'cfg/cfg-0:27019,cfg-1:27019': { lockCount: Long.fromNumber(1), ok: 1 },
      'a/a-0:27018': { lockCount: Long.fromNumber(2), ok: 1 },
    };
    const server = await serveRouter({ fsync: () => ({ numFiles: 1, all: { raw } }) });
    const counts = await (await routerTo(server)).lock('stillpoint 1');
    expect([...counts]).toEqual([
      ['cfg', 1],
      ['a', 2],
    ]);
    expect(server.last('fsync')).toMatchObject({ lock: true, comment: 'stillpoint 1' });
    expect(server.last('fsync')?.fsyncLockAcquisitionTimeoutMillis).toBe(4_000);
  });

  it.each([
    ['a change of the schema', 20, 'Cannot take lock while DDL operation is in progress', 'freeze-failed', 'resharded'],
    ['a shard that waits too long', 24, 'Fsync lock timed out', 'freeze-timeout', 'in the way'],
    ['anything else', 133, 'Could not find host matching read preference', 'freeze-failed', ''],
  ])('is refused for %s by the code that only its shards have', async (_what, number, message, code, hint) => {
    const server = await serveRouter({ fsync: () => Promise.reject(notLocked(number, message)) });
    const failure = (await routerTo(server)).lock('x');
    await expect(failure).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
    await expect(failure.catch(({ hint: told = '' }: { hint?: string }) => told)).resolves.toContain(hint);
  });

  it('is not refused, but unknown, when the mongos shuts down', async () => {
    const server = await serveRouter({ fsync: () => Promise.reject(new Refused(91, 'ShutdownInProgress', 'bye')) });
    await expect((await routerTo(server)).lock('x')).rejects.toMatchObject({ code: 'session-lost' });
  });

  it.each([
    ['all were locked', () => ({ raw: {} }), undefined],
    ['some were not', () => unlocked({ 'a/x:1': { ok: 1, lockCount: 0 }, 'b/y:1': NOT_LOCKED }, 20), undefined],
    ['none was', () => unlocked({ 'a/x:1': NOT_LOCKED }, 20), undefined],
    ['one could not be', () => unlocked({ 'a/x:1': NOT_LOCKED, 'b/y:1': { ok: 0, code: 133 } }, 20), 'freeze-failed'],
    ['it may not', () => Promise.reject(new Refused(13, 'Unauthorized', 'Unauthorized')), 'privilege-missing'],
  ])('is taken back where %s', async (_what, fsyncUnlock, code) => {
    const done = (await routerTo(await serveRouter({ fsyncUnlock }))).unlock(signal);
    if (code === undefined) await done;
    else await expect(done).rejects.toMatchObject({ code });
  });
});

function unlocked(raw: object, code: number): Promise<never> {
  return Promise.reject(new Refused(code, '', 'fsyncUnlock called when not locked', { raw, code }));
}

describe('the balancer', () => {
  /** Servers that cut all connections when they are asked to start it. */
  const breaks = new Set<WireServer>();

  it('is read with what starting it would turn on as well', async () => {
    const server = await serveRouter({
      buildInfo: () => ({ version: '8.0.4' }),
      connectionStatus: () => ({}),
      getShardMap: () => ({ map: { config: 'cfg/c:1', a: 'a/a:1' } }),
      balancerStatus: () => ({ mode: 'full', inBalancerRound: false }),
      find: () => ({ cursor: { firstBatch: [{ _id: 'automerge', enabled: false }], id: 0, ns: 'config.settings' } }),
    });
    expect((await (await routerTo(server)).facts(signal)).balancer).toEqual({ mode: 'full', automerge: false });
    expect(server.last('find')).toMatchObject({ find: 'settings', filter: { _id: 'automerge' }, $db: 'config' });
  });

  it('is started by its command, and by its setting alone where chunks were not merged', async () => {
    let found = 1;
    const server = await serveRouter({ balancerStart: () => ({}), update: () => ({ n: found }) });
    const router = await routerTo(server);
    await router.startBalancer({ automerge: true }, signal);
    expect(server.asked).toEqual(['balancerStart']);
    await router.startBalancer({ automerge: false }, signal);
    expect(server.asked).toEqual(['balancerStart', 'update']);
    expect(server.last('update')).toMatchObject({
      $db: 'config',
      updates: [{ q: { _id: 'balancer' }, u: { $set: { stopped: false, mode: 'full' } } }],
    });
    found = 0;
    await expect(router.startBalancer({ automerge: false }, signal)).rejects.toMatchObject({ code: 'thaw-failed' });
  });

  it('is waited for in its round, also when it was off already', async () => {
    const rounds = [true, true, false];
    const balancerStatus = (): object => ({ mode: 'off', inBalancerRound: rounds.shift() });
    const server = await serveRouter({ balancerStatus });
    await (await routerTo(server)).balancerIsOff(signal);
    expect(server.asked).toEqual(Array(3).fill('balancerStatus'));
  });

  it('that somebody has started meanwhile is not waited for', async () => {
    const server = await serveRouter({ balancerStatus: () => ({ mode: 'full', inBalancerRound: true }) });
    await expect((await routerTo(server)).balancerIsOff(signal)).rejects.toThrow('the balancer is on (full)');
  });

  it('whose round does not end is told with what to do', async () => {
    const balancerStop = (): Promise<never> =>
      Promise.reject(new Refused(50, 'MaxTimeMSExpired', 'operation exceeded'));
    const router = await routerTo(await serveRouter({ balancerStop }));
    await expect(router.stopBalancer(signal)).rejects.toMatchObject({
      code: 'freeze-timeout',
      hint: expect.stringContaining('activeWindow'),
    });
  });

  it.each<[string, (router: Router, server: WireServer) => void, number]>([
    ['is gone', (router) => router.connection.destroy(new Error('cut')), 1],
    ['breaks as it is asked', (_, server) => breaks.add(server), 2],
  ])('is started by another connection when that of the backup %s', async (_, broken, asked) => {
    let mode = 'full';
    const server = await serveRouter({
      balancerStop: () => {
        mode = 'off';
        return {};
      },
      balancerStatus: () => ({ mode, inBalancerRound: false }),
      find: () => ({ cursor: { firstBatch: [], id: 0, ns: 'config.settings' } }),
      balancerStart: () => {
        if (breaks.delete(server)) server.cut();
        return {};
      },
    });
    const router = await routerTo(server);
    const facts = { balancer: { mode: 'full', automerge: true }, map: [] } as unknown as RouterFacts;
    const target = targetAt(server.port);
    const cluster = new Cluster({ router, facts, target, approximate: true, configSetId: undefined });
    await cluster.stopBalancer({ signal });
    broken(router, server);
    await cluster.startBalancer({ signal });
    expect(server.asked.filter((name) => name === 'balancerStart')).toHaveLength(asked);
  });
});

/** A member of the config servers: its set has the id that no other set has. */
function configServer(id: ObjectId): Promise<WireServer> {
  return serve({
    replSetGetStatus: () => ({ members: [] }),
    replSetGetConfig: () => ({ config: { _id: 'cfg', members: [], settings: { replicaSetId: id } } }),
  });
}

describe('the balancer of a runner that is gone', () => {
  const ID = new ObjectId();

  async function mongosOf(id: ObjectId): Promise<WireServer> {
    const config = await configServer(id);
    return await serveRouter({
      getShardMap: () => ({ map: { config: `cfg/${config.host}`, a: 'a/nobody:1' } }),
      balancerStatus: () => ({ mode: 'off' }),
      balancerStart: () => ({}),
      update: () => ({ n: 1 }),
    });
  }

  function heldAt({ port }: Pick<WireServer, 'port'>, automerge = true): Held {
    return heldBalancer(targetAt(port), { mode: 'full', automerge }, ID.toHexString());
  }

  async function undone(target: Target, held: Held): Promise<readonly string[]> {
    const guard = await openBalancerGuard(target, held, signal);
    return await guard.undo(signal).finally(() => guard.close());
  }

  it('is started as it was', async () => {
    const mongos = await mongosOf(ID);
    const target = targetAt(mongos.port);
    expect(await undone(target, heldAt(mongos))).toEqual([`started the balancer (${mongos.host}) again`]);
    expect(mongos.asked).toContain('balancerStart');
    await undone(target, heldAt(mongos, false));
    expect(mongos.asked).toContain('update');
  });

  it('is started by the mongos that the policy has now, where the one of the record is gone', async () => {
    const gone = await mongosOf(ID);
    const held = heldAt(gone);
    await gone[Symbol.asyncDispose]();
    const mongos = await mongosOf(ID);
    expect(await undone(targetAt(mongos.port), held)).toHaveLength(1);
    expect(mongos.asked).toContain('balancerStart');
  });

  it('is never that of another cluster, nor sought where no mongos answers', async () => {
    const other = await mongosOf(new ObjectId());
    await expect(undone(targetAt(other.port), heldAt(other))).rejects.toMatchObject({
      code: 'server-changed',
      message: expect.stringContaining('the mongos of another cluster'),
    });
    expect(other.asked).not.toContain('balancerStart');
    const server = await serve({});
    await expect(undone(targetAt(server.port), heldAt(server))).rejects.toMatchObject({ code: 'server-changed' });
  });
});

describe('a member of a shard', () => {
  it('that does not know the user is told with where to create it', async () => {
    const login = (): Promise<never> =>
      Promise.reject(new Refused(18, 'AuthenticationFailed', 'Authentication failed.'));
    const shard = await serve({ saslStart: login, hello: () => ({ saslSupportedMechs: ['SCRAM-SHA-256'] }) });
    const target = targetAt(shard.port, { username: 'stillpoint', password: 'secret' });
    const opened = (name: string): Promise<unknown> =>
      openMemberOfShard(target, { name, setName: 'a', hosts: [shard.host] }, signal);
    await expect(opened('shard-a')).rejects.toMatchObject({
      code: 'authentication-failed',
      message: expect.stringContaining('shard shard-a: '),
      hint: expect.stringContaining('create stillpoint at the primary of each shard too'),
    });
    await expect(opened('config')).rejects.toMatchObject({ hint: expect.stringContaining('look at the Secret') });
  });

  it('is known by its set, and not by the map of shards, which has no hidden ones', async () => {
    const id = new ObjectId();
    const hosts: string[] = [];
    const config = (): object => ({
      _id: 'cfg',
      settings: { replicaSetId: id },
      members: hosts.map((host, index) => ({ host, hidden: index === 1, priority: 1 - index })),
    });
    const status = (): object => ({
      members: hosts.map((name, index) => ({ name, state: index + 1, health: 1, optimeDate: new Date(0) })),
    });
    const member = (index: number): Answers => ({
      hello: () => ({ setName: 'cfg', me: hosts[index], isWritablePrimary: index === 0, secondary: index === 1 }),
      replSetGetConfig: () => ({ config: config() }),
      replSetGetStatus: status,
      serverStatus: () => ({ host: hosts[index], pid: 1, uptimeMillis: 1, localTime: new Date(1), version: '8.0.4' }),
      getCmdLineOpts: () => ({ parsed: {} }),
    });
    const [primary, hidden] = [await serve(member(0)), await serve(member(1))];
    hosts.push(primary.host, hidden.host);
    let known = `cfg/${primary.host}`;
    const mongos = await serveRouter({
      buildInfo: () => ({ version: '5.0.0' }),
      connectionStatus: () => ({}),
      getShardMap: () => ({ map: { config: known, a: 'a/nobody:1' } }),
      balancerStatus: () => ({ mode: 'off', inBalancerRound: false }),
      find: () => ({ cursor: { firstBatch: [], id: 0, ns: 'config.settings' } }),
    });
    const session = await openSession(targetAt(mongos.port, { options: { approximate: 'true' } }), log, signal);
    try {
      expect(session.server).toMatchObject({ member: hidden.host, cluster: id.toHexString() });
      expect(await session.whoAnswers(signal)).toMatchObject({ member: hidden.host, setName: 'cfg' });
      // Another cluster, whose config servers have the same name.
      const stranger = await configServer(new ObjectId());
      known = `cfg/${stranger.host}`;
      await expect(session.whoAnswers(signal)).rejects.toMatchObject({ code: 'server-changed' });
    } finally {
      await session.close();
    }
  });
});
