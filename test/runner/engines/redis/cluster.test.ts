import { describe, expect, it, test } from 'vitest';
import type { PlanRequest } from '../../../../runner/engine';
import { clusterOf, clusterProblem, slotMap, slotsCovered } from '../../../../runner/engines/redis/cluster';
import { nodesOfOne } from '../../../../runner/engines/redis/detach';
import { modeOf, requestProblems } from '../../../../runner/engines/redis/layout';

const A = 'a'.repeat(40);
const B = 'b'.repeat(40);
const C = 'c'.repeat(40);

/** As Redis 8 writes it; the own line may have migrations. */
const nodes = (own = '', flags = 'master'): string =>
  [
    `${B} 10.1.0.2:6379@16379,,tls-port=0,shard-id=1 ${flags} - 0 1700000000000 2 connected 5461-10922`,
    `${A} :6379@16379 myself,master - 0 0 1 connected 0-5460${own}`,
    `${C} [fd00::3]:6380@16380,cache-2 master - 0 1700000000000 3 connected 10923-16382 16383`,
    `${'d'.repeat(40)} 10.1.0.4:6379@16379 slave ${A} 0 1700000000000 1 connected`,
    `${'e'.repeat(40)} 10.1.0.5:6379@16379 master - 0 1700000000000 0 connected`,
    '',
  ].join('\n');

const OK = { cluster_state: 'ok' };

describe('what a node says of its cluster', () => {
  const view = clusterOf(nodes());

  it('are the masters that have slots, by their slots', () => {
    expect(view.myself).toBe(A);
    expect(view.masters).toEqual([
      { id: A, address: '', port: 6379, configEpoch: '1', slots: '0-5460', failing: false },
      { id: B, address: '10.1.0.2', port: 6379, configEpoch: '2', slots: '5461-10922', failing: false },
      { id: C, address: '[fd00::3]', port: 6380, configEpoch: '3', slots: '10923-16382 16383', failing: false },
    ]);
    expect(slotsCovered(view)).toBe(16_384);
    expect(slotMap(view)).toBe(`${A} 0-5460; ${B} 5461-10922; ${C} 10923-16382 16383`);
    expect(clusterProblem(view, OK)).toBeUndefined();
  });

  test.each([
    ['a slot that is given away', nodes(` [93->-${B}]`), OK, `slots are being moved: 93->-${B}`],
    ['a slot that is taken over', nodes(` [93-<-${B}]`), OK, `slots are being moved: 93-<-${B}`],
    ['a master that is lost', nodes('', 'master,fail'), OK, `the master ${B} (10.1.0.2) is taken for lost`],
    ['a master that may be lost', nodes('', 'master,fail?'), OK, `the master ${B} (10.1.0.2) is taken for lost`],
    ['slots of nobody', nodes().replace(' 5461-10922', ' 5461-10000'), OK, "15462 of 16384 slots are a master's"],
    ['a state that is not ok', nodes(), { cluster_state: 'fail' }, 'cluster_state is fail'],
  ])('%s speaks against a backup', (_, text, info, problem) => {
    expect(clusterProblem(clusterOf(text), info)).toBe(problem);
  });
});

describe('the mode of one master of several', () => {
  const request = (standstill: boolean, options: PlanRequest['options'] = {}): PlanRequest => ({
    id: '20260101000000',
    volumes: [{ name: 'data', role: 'data', claim: 'data', namespace: 'shop' }],
    layout: 'auto',
    groupClass: false,
    atomicStore: true,
    options,
    standstill,
  });

  it.each([
    [false, 'yes', 'aof'],
    [false, 'no', 'rdb'],
    [true, 'yes', 'aof'],
    [true, 'no', 'rdb-paused'],
  ])('standstill %s, appendonly %s: %s', (standstill, appendonly, mode) => {
    expect(modeOf(request(standstill), { settings: { appendonly } })).toBe(mode);
  });

  it('may not let writes go on while the others are cut', () => {
    expect(requestProblems(request(false, { mode: 'rdb' }))).toEqual([]);
    expect(requestProblems(request(true, { mode: 'rdb' }))).toMatchObject([{ code: 'config-invalid' }]);
  });
});

describe("rule 13: a copy's nodes.conf", () => {
  const record = { id: '20260101000000', position: { node: A, slots: '0-5460', configEpoch: '7' } };

  it('has its slots, a name that nobody has heard, and no other node', () => {
    const text = nodesOfOne(record) ?? '';
    expect(clusterOf(text).masters).toMatchObject([{ slots: '0-5460', configEpoch: '7' }]);
    expect(text).not.toContain(A);
    expect(text).toContain('vars currentEpoch 7 lastVoteEpoch 0\n');
    expect(nodesOfOne({ ...record, id: '20260102000000' })).not.toBe(text);
  });

  it('is made of nothing where the original was in no cluster', () => {
    expect(nodesOfOne({ id: '20260101000000', position: { mode: 'aof' } })).toBeUndefined();
  });
});
