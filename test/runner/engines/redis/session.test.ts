/** What a session makes of a server that is not any more what it was when the session opened. */
import { describe, expect, it } from 'vitest';
import { holdsOthersUp } from '../../../../runner/commands/one-server';
import type { Connection, Reply } from '../../../../runner/engines/redis/connection';
import type { ServerFacts } from '../../../../runner/engines/redis/facts';
import { Pause } from '../../../../runner/engines/redis/pause';
import { RedisSession } from '../../../../runner/engines/redis/session';
import { dialectNamed } from '../../../../runner/engines/redis/versions';
import type { Preflight } from '../../../../runner/preflight';
import { freezingRecord } from '../../../../runner/record';
import { NO_TARGET } from '../../../../runner/target';
import { record } from '../../../support/record';

type Fields = Readonly<Record<string, string>>;

const FILES = { dir: '/data', dbfilename: 'dump.rdb', appendonly: 'no', appenddirname: 'appendonlydir' };
const REPLICA = { run_id: 'run', role: 'slave', master_replid: 'a' };

/** A session with a server that was a replica when it opened, and all that is asked of the server. */
function sessionWith(now: { readonly info?: Fields; readonly settings?: Fields }, version = '8.0.2') {
  const asked: string[] = [];
  const settings: Fields = { ...FILES, ...now.settings };
  const connection = {
    ask: async (_: string, args: readonly string[]): Promise<Reply> => {
      asked.push(args.slice(0, 2).join(' '));
      if (args[0] === 'CONFIG') return args.slice(2).flatMap((name) => [name, settings[name] ?? '']);
      if (args[0] !== 'INFO') return 'OK';
      return Object.entries({ ...REPLICA, ...now.info })
        .map(([name, value]) => `${name}:${value}\r\n`)
        .join('');
    },
  } as unknown as Connection;
  const server = {
    dialect: dialectNamed('redis', version),
    identity: { runId: 'run', role: 'slave', replid: 'a' },
    settings: FILES,
  } as unknown as ServerFacts;
  return { asked, session: new RedisSession(connection, server, NO_TARGET) };
}

describe('a pause', () => {
  const within = { signal: new AbortController().signal, remainingMs: () => 1_000 };

  it('is not asked of a replica that was promoted since', async () => {
    const { asked, session } = sessionWith({ info: { role: 'master', master_replid: 'b' } });
    const pause = new Pause(session);
    await expect(pause.begin(within)).rejects.toMatchObject({
      code: 'server-changed',
      message: 'since the backup looked at the server role went from slave to master',
    });
    expect([asked, pause.begun]).toEqual([['INFO'], false]);
  });

  it('is asked of one that has another master by now', async () => {
    const { asked, session } = sessionWith({ info: { master_replid: 'b' } });
    const pause = new Pause(session);
    await pause.begin(within);
    expect([asked, pause.begun]).toEqual([['INFO', 'CLIENT PAUSE'], true]);
  });
});

it.each([
  ['rdb', true],
  ['rdb-paused', false],
  ['aof', false],
] as const)('mode %s pauses writes for no more than a moment, and lets others know: %s', (mode, expected) => {
  const plan = sessionWith({}).session.plan({
    id: '20260101000000',
    volumes: [{ name: 'data', role: 'data', claim: 'data', namespace: 'shop' }],
    layout: 'auto',
    groupClass: false,
    atomicStore: true,
    options: { mode },
  });
  const announced = freezingRecord(
    record(),
    { findings: [], members: [], volumes: [] } as unknown as Preflight,
    plan,
    [],
  );
  expect([announced.freezes, announced.pausesBriefly === true]).toEqual([expected ? 'nothing' : 'writes', expected]);
  expect(holdsOthersUp(announced)).toBe(true);
});

describe.each(['8.0.2', '6.2.5'])("the server's own paths, of %s", (version) => {
  const paths = async (settings: Fields) => await sessionWith({ settings }, version).session.paths();

  it('are read each time', async () => {
    expect(await paths({})).toEqual([{ role: 'data', what: 'dir', path: '/data' }]);
    expect((await paths({ appendonly: 'yes' })).map(({ path }) => path)).toEqual(['/data', '/data/appendonlydir']);
  });

  it.each<[name: string, value: string]>([
    ['dir', '/tmp'],
    ['dbfilename', 'other.rdb'],
  ])('fail the backup when %s is another one than when it was looked at', async (name, value) => {
    await expect(paths({ [name]: value })).rejects.toMatchObject({
      code: 'server-changed',
      message: expect.stringContaining(`${name} went from ${FILES[name as keyof typeof FILES]} to ${value}`),
    });
  });
});
