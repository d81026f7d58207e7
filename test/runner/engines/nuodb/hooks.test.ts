/** Sessions, and the guard, against a stand-in for the backup hooks: who may be asked, and what may be ended. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { GuardSession, PlanRequest, Target } from '../../../../runner/engine';
import { engine } from '../../../../runner/engines/nuodb';
import { guard } from '../../../../runner/engines/nuodb/guard';
import { BackupHooks } from '../../../../runner/engines/nuodb/hooks';
import { BackupHooksStandIn } from '../../../support/backup-hooks-standin';
import { QuietLog } from '../../../support/quiet-log';

const ID = '20261126020000';
const never = new AbortController().signal;

let hooks: BackupHooksStandIn;

beforeEach(async () => {
  hooks = await BackupHooksStandIn.start();
});
afterEach(async () => {
  vi.useRealTimers();
  await hooks[Symbol.asyncDispose]();
});

const targetOf = (more: Partial<Target> = {}): Target => ({
  connection: { host: hooks.host, port: hooks.port, usernameFile: '' },
  username: '',
  password: '',
  tls: undefined,
  ...more,
});

/** A port at which nobody listens any more. */
async function deadPort(): Promise<number> {
  const gone = await BackupHooksStandIn.start();
  const { port } = gone;
  await gone[Symbol.asyncDispose]();
  return port;
}

const archive = { name: 'archive', role: 'data', claim: 'archive-volume-sm-0', namespace: 'nuodb' } as const;
const request: PlanRequest = {
  id: ID,
  volumes: [archive],
  layout: 'auto',
  groupClass: false,
  atomicStore: true,
  options: {},
};

it('is an engine whose freeze outlives its caller, whose servers are neither stopped nor started by us, and restored without a record', () => {
  expect(engine.capabilities).toEqual({
    freezeOutlivesSession: true,
    mayBeOffline: false,
    hasServer: true,
    startsAlone: false,
  });
  expect([engine.guard, engine.restore.withoutRecord]).toEqual([guard, true]);
});

describe('a session at the backup hooks (a stand-in)', () => {
  it('is of the pod that its labels name, and begins nothing', async () => {
    const labels = { database: 'demo', domain: 'nuodb', release: 'db', app: 'of no interest' };
    const session = await engine.open(targetOf({ labels }), new QuietLog(), never);
    expect(session.server).toMatchObject({
      address: hooks.host,
      identity: { database: 'demo', domain: 'nuodb', release: 'db' },
    });
    expect(await session.check(request)).toMatchObject([{ severity: 'ok' }]);
    await session.close();
    expect(hooks.asked).toEqual([]);
  });

  it('has no address of its own where it goes by a name', async () => {
    const connection = { host: 'localhost', port: hooks.port, usernameFile: '' };
    const { server } = await engine.open(targetOf({ connection }), new QuietLog(), never);
    expect(server.address).toBeUndefined();
  });

  it('sees the backup that is at work, which is refused and goes on', async () => {
    hooks.current = 'theirs';
    const session = await engine.open(targetOf(), new QuietLog(), never);
    expect(await session.check(request)).toMatchObject([
      { severity: 'error', code: 'freeze-left', hint: expect.stringContaining('/post-backup/theirs') },
    ]);
    expect(hooks.current).toBe('theirs');
  });

  it.each([
    [
      ['/var/opt/nuodb/archive', '/var/opt/nuodb/journal'],
      ['data', 'log'],
    ],
    [['/var/opt/nuodb/archive', '/var/log/nuodb'], ['data']],
  ])('of a pod with %j mounted has the paths of %j', async (mounts, roles) => {
    const session = await engine.open(targetOf(), new QuietLog(), never);
    const paths = await session.paths(mounts);
    expect(paths.map(({ role }) => role)).toEqual(roles);
    expect(paths.map(({ path }) => path)).toEqual(mounts.slice(0, roles.length));
  });

  it.each([
    ['another program', { status: 404, message: 'no such page' }],
    ['one that takes whatever it is asked', { status: 200, message: '' }],
    ['one that refuses in other words', { status: 400, message: 'Bad request' }],
    ['one that says so and fails', { status: 500, message: 'Unexpected backup ID: current=None, supplied=x' }],
  ])('is refused at %s', async (_, answer) => {
    hooks.fault = () => answer;
    await expect(engine.open(targetOf(), new QuietLog(), never)).rejects.toMatchObject({ code: 'server-unsafe' });
  });

  it('is refused where nobody listens, and where the connection is cut', async () => {
    const connection = { host: hooks.host, port: await deadPort(), usernameFile: '' };
    await expect(engine.open(targetOf({ connection }), new QuietLog(), never)).rejects.toMatchObject({
      code: 'server-unreachable',
      message: expect.stringContaining('ECONNREFUSED'),
    });
    for (const fault of ['reset', 'half'] as const) {
      hooks.fault = () => fault;
      await expect(engine.open(targetOf(), new QuietLog(), never)).rejects.toMatchObject({
        code: 'server-unreachable',
      });
    }
  });

  it('is refused at one that talks without end, with the beginning of it', async () => {
    hooks.fault = () => ({ status: 500, message: 'words '.repeat(100_000) });
    const { message } = (await engine
      .open(targetOf(), new QuietLog(), never)
      .catch((thrown: unknown) => thrown)) as Error;
    // Not all of it was read: what was is no JSON.
    expect(message).toContain('{"success":false,"message":"words words');
    expect(message.length).toBeLessThan(500);
  });

  it('is refused where nobody answers for a minute', async () => {
    hooks.fault = () => 'silence';
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const asked = new Promise<void>((resolve) => {
      hooks.onAsked = () => resolve();
    });
    const failed = expect(engine.open(targetOf(), new QuietLog(), never)).rejects.toMatchObject({
      code: 'server-unreachable',
      message: expect.stringContaining('took more than 60 s'),
    });
    await asked;
    vi.advanceTimersByTime(60_000);
    await failed;
  });

  it('ends with the signal of whoever opened it', async () => {
    hooks.fault = () => 'silence';
    const stop = new AbortController();
    hooks.onAsked = () => stop.abort();
    await expect(engine.open(targetOf(), new QuietLog(), stop.signal)).rejects.toMatchObject({
      code: 'server-unreachable',
    });
  });

  it('names an address of IPv6 as a URL does', () => {
    expect([new BackupHooks('fd00::1', 8000).where, new BackupHooks('10.0.0.1', 8000).where]).toEqual([
      '[fd00::1]:8000',
      '10.0.0.1:8000',
    ]);
  });
});

describe('the guard of the backup hooks (a stand-in)', () => {
  const heldAt = (port: number, undo: Readonly<Record<string, string>> = { backup: ID }) => ({
    member: `backup hooks at ${hooks.host}:${port}`,
    host: hooks.host,
    port,
    undo,
  });

  const opened = (undo?: Readonly<Record<string, string>>): Promise<GuardSession> =>
    guard.open(targetOf(), heldAt(hooks.port, undo), new QuietLog(), never);

  it('does not say that it watches hooks that it cannot reach, or that are none', async () => {
    const gone = heldAt(await deadPort());
    await expect(guard.open(targetOf(), gone, new QuietLog(), never)).rejects.toMatchObject({
      code: 'server-unreachable',
    });
    hooks.fault = () => ({ status: 404, message: 'no such page' });
    await expect(opened()).rejects.toMatchObject({ code: 'server-unsafe' });
  });

  it('sees its own backup, and no other', async () => {
    const session = await opened();
    expect(await session.holds(never)).toBe(false);
    hooks.current = 'theirs';
    expect(await session.holds(never)).toBe(false);
    hooks.current = ID;
    expect(await session.holds(never)).toBe(true);
  });

  it('ends its own, once', async () => {
    const session = await opened();
    hooks.current = ID;
    expect(await session.undo(never)).toEqual([
      `backup ${ID} was ended at the backup hooks at ${hooks.host}:${hooks.port}`,
    ]);
    expect(await session.undo(never)).toEqual([]);
    expect(hooks.asked).toEqual([{ what: 'end', id: ID }]);
  });

  it.each([undefined, 'theirs'])('ends nothing where %s is at work', async (current) => {
    const session = await opened();
    hooks.current = current;
    expect(await session.undo(never)).toEqual([]);
    expect([hooks.current, hooks.asked]).toEqual([current, []]);
  });

  it('ends nothing of a record that names no backup', async () => {
    const session = await opened({});
    hooks.current = 'theirs';
    expect([await session.holds(never), await session.undo(never), hooks.asked]).toEqual([false, [], []]);
  });

  it('has nothing to say where they have let go in between', async () => {
    const session = await opened();
    hooks.current = ID;
    hooks.onAsked = ({ what, id }) => {
      if (what === 'end' && id === ID) hooks.current = undefined;
    };
    expect(await session.undo(never)).toEqual([]);
  });

  it('takes away the files of a process that is no more, and says that nothing was held', async () => {
    const session = await opened();
    hooks.current = ID;
    hooks.startedAnew = true;
    expect(await session.undo(never)).toEqual([expect.stringContaining('whose archive was not held any more')]);
    expect(hooks.current).toBeUndefined();
  });

  it('says by what it was told when they go on holding', async () => {
    const session = await opened();
    hooks.current = ID;
    hooks.fault = ({ what, id }) => (what === 'end' && id === ID ? { status: 500, message: 'not now' } : undefined);
    await expect(session.undo(never)).rejects.toMatchObject({
      code: 'thaw-failed',
      message: expect.stringContaining('not now (500)'),
    });
    expect(hooks.current).toBe(ID);
  });
});
