import { expect, test } from 'vitest';
import { assertUnchanged, putBack, undoOf } from '../../../../runner/engines/redis/settings';

const DEFAULTS = { appendfsync: 'everysec', 'auto-aof-rewrite-percentage': '100', 'no-appendfsync-on-rewrite': 'no' };

/** A server's settings, and what is done to them. */
function server(
  settings: Record<string, string>,
): (what: string, args: readonly string[]) => Promise<string[] | string> {
  return async (_, [, verb, ...rest]) => {
    if (verb === 'GET') return rest.flatMap((name) => [name, settings[name] ?? '']);
    for (let i = 0; i < rest.length; i += 2) settings[rest[i] ?? ''] = rest[i + 1] ?? '';
    return 'OK';
  };
}

test('what a backup changes is what was otherwise before', () => {
  expect(undoOf(DEFAULTS, 'run')).toEqual({
    'config.appendfsync': 'everysec',
    'config.auto-aof-rewrite-percentage': '100',
    run_id: 'run',
  });
  expect(undoOf({ ...DEFAULTS, appendfsync: 'always', 'auto-aof-rewrite-percentage': '0' }, 'run')).toEqual({});
});

test('what is ours goes back, and what others have set meanwhile stays', async () => {
  const settings = { ...DEFAULTS, appendfsync: 'no', 'auto-aof-rewrite-percentage': '0' };
  const done = await putBack(server(settings), undoOf(DEFAULTS, 'run'));
  expect(settings).toEqual({ ...DEFAULTS, appendfsync: 'no' });
  expect(done).toEqual(['auto-aof-rewrite-percentage is 100 again']);
  expect(await putBack(server(settings), undoOf(DEFAULTS, 'run'))).toEqual([]);
});

test('with sentinels the file is written anew where they had it written meanwhile, and only there', async () => {
  const before = { ...DEFAULTS, replicaof: '', config_file: '/data/server.conf' };
  const undo = undoOf(before, 'run', true);
  expect(undo).toMatchObject({ replicaof: '' });
  expect(undoOf({ ...before, config_file: '' }, 'run', true)).not.toHaveProperty('replicaof');
  expect(undoOf(before, 'run')).not.toHaveProperty('replicaof');
  for (const [replicaof, written] of [
    ['', false],
    ['10.0.0.2 6379', true],
  ] as const) {
    const asked: string[] = [];
    const ask = server({ ...before, replicaof, 'auto-aof-rewrite-percentage': '0' });
    await putBack((what, args) => {
      asked.push(args.slice(0, 2).join(' '));
      return ask(what, args);
    }, undo);
    expect(asked.includes('CONFIG REWRITE')).toBe(written);
  }
});

test('what somebody has set since the server was looked at is not what goes back in the end', async () => {
  await assertUnchanged(server({ ...DEFAULTS }), { ...DEFAULTS, save: '' });
  // Before Redis 7 the server has not all of them.
  const { appendfsync: _, ...fewer } = DEFAULTS;
  await assertUnchanged(server({ ...DEFAULTS, appendfsync: 'always' }), fewer);
  await expect(assertUnchanged(server({ ...DEFAULTS, appendfsync: 'always' }), DEFAULTS)).rejects.toMatchObject({
    code: 'freeze-failed',
    message: 'since the backup looked at the server appendfsync went from everysec to always',
  });
});
