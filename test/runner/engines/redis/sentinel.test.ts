import { describe, expect, it } from 'vitest';
import { chooseServer, type Word } from '../../../../runner/engines/redis/sentinel';

const MASTER = { ip: '10.0.0.1', port: '6379', runid: 'one', flags: 'master', 'config-epoch': '3' };
const REPLICA = {
  ip: '10.0.0.2',
  port: '6379',
  runid: 'two',
  flags: 'slave',
  'master-link-status': 'ok',
  'slave-priority': '100',
  'slave-repl-offset': '500',
};

const word = (
  master: Readonly<Record<string, string>> = {},
  replicas: readonly Readonly<Record<string, string>>[] = [],
  sentinel = 'a:26379',
): Word => ({
  sentinel,
  master: { ...MASTER, ...master },
  replicas: replicas.map((replica) => ({ ...REPLICA, ...replica })),
});

describe('the master', () => {
  const wanted = { masterName: 'sessions', role: 'master' } as const;

  it('is the one that sentinels name, with the run that they know', () => {
    expect(chooseServer([word()], wanted)).toEqual({ host: '10.0.0.1', port: 6379, runId: 'one' });
  });

  it('is that of the newest epoch: a sentinel that was cut off goes on naming an old one', () => {
    const stale = word({}, [], 'b:26379');
    const newer = word({ ip: '10.0.0.2', runid: 'two', 'config-epoch': '4' });
    expect(chooseServer([stale, newer], wanted)).toMatchObject({ host: '10.0.0.2' });
    expect(chooseServer([newer, stale], wanted)).toMatchObject({ host: '10.0.0.2' });
  });

  it.each([
    ['master,s_down,o_down', 'o_down'],
    ['master,failover_in_progress', 'failover_in_progress'],
  ])('is none while sentinels have it as %s', (flags, said) => {
    expect(() => chooseServer([word({ flags })], wanted)).toThrow(
      expect.objectContaining({ code: 'member-unsuitable', message: expect.stringContaining(said) }),
    );
  });

  it('is still one that a single sentinel does not reach: the connection shows what is true', () => {
    expect(chooseServer([word({ flags: 'master,s_down' })], wanted)).toMatchObject({ host: '10.0.0.1' });
  });
});

describe('a replica', () => {
  const wanted = { masterName: 'sessions', role: 'replica' } as const;
  const chosen = (replicas: Parameters<typeof word>[1], before?: string): string =>
    chooseServer([word({}, replicas)], { ...wanted, before }).host;

  it.each([
    ['the farthest', [{ ip: 'x' }, { ip: 'y', 'slave-repl-offset': '501' }], 'y'],
    ['of two alike, always the same', [{ ip: 'y' }, { ip: 'x' }], 'x'],
    [
      'one that never becomes master, before it',
      [{ ip: 'x' }, { ip: 'y', 'slave-priority': '0', 'slave-repl-offset': '1' }],
      'y',
    ],
    [
      'not one that is down',
      [
        { ip: 'x', flags: 'slave,s_down' },
        { ip: 'y', 'slave-repl-offset': '1' },
      ],
      'y',
    ],
    [
      'not one that is not connected',
      [
        { ip: 'x', flags: 'slave,disconnected' },
        { ip: 'y', 'slave-repl-offset': '1' },
      ],
      'y',
    ],
    [
      'not one without its link',
      [
        { ip: 'x', 'master-link-status': 'err' },
        { ip: 'y', 'slave-repl-offset': '1' },
      ],
      'y',
    ],
  ])('is %s', (_, replicas, host) => {
    expect(chosen(replicas)).toBe(host);
  });

  it('is the one of before, as long as it is fit: after the cut the same one has to answer', () => {
    const other = { ip: 'y', 'slave-repl-offset': '900' };
    expect(chosen([{ ip: 'x' }, other], 'x:6379')).toBe('x');
    expect(chosen([{ ip: 'x', flags: 'slave,s_down' }, other], 'x:6379')).toBe('y');
  });

  it.each([
    ['it has none', []],
    ['x:6379 is s_down', [{ ip: 'x', flags: 'slave,s_down' }]],
    ['x:6379 has its link to the master as err', [{ ip: 'x', 'master-link-status': 'err' }]],
  ])('is none where %s', (said, replicas) => {
    expect(() => chosen(replicas)).toThrow(
      expect.objectContaining({ code: 'member-unsuitable', message: expect.stringContaining(said) }),
    );
  });
});
