import { describe, expect, it } from 'vitest';
import { chooseServers } from '../../runner/choose-servers';
import type { FoundServer } from '../../runner/ports';

const server = (name: string, more: Partial<FoundServer> & { release?: string } = {}): FoundServer => ({
  name,
  address: `10.0.0.${name.slice(-2).replace('-', '')}`,
  ready: true,
  labels: { release: more.release ?? 'db' },
  ...more,
});

const selection = { matchLabels: { component: 'sm', database: 'demo' }, port: 8000, groupLabel: 'release' };
const names = (found: readonly FoundServer[], groups?: readonly string[]): readonly string[] =>
  chooseServers(found, groups === undefined ? selection : { ...selection, groups }).map(({ name }) => name);

describe('which of several servers is backed up', () => {
  it.each([
    ['the lowest ordinal as a number', [server('sm-10'), server('sm-9')], ['sm-9']],
    ['the lowest that is ready', [server('sm-0', { ready: false }), server('sm-2'), server('sm-1')], ['sm-1']],
    ['not one without an address', [server('sm-0', { address: undefined }), server('sm-1')], ['sm-1']],
    ['of two StatefulSets the first by name', [server('sm-hot-0'), server('sm-cold-0')], ['sm-cold-0']],
    ['what has no ordinal last', [server('sm'), server('sm-7')], ['sm-7']],
  ] as const)('is %s', (_, found, chosen) => {
    expect(names(found)).toEqual(chosen);
  });

  it('is one of each group where each has a part of the data', () => {
    const found = [
      server('sm-b-0', { release: 'b' }),
      server('sm-a-0', { release: 'a', ready: false }),
      server('sm-a-1', { release: 'a' }),
      server('sm-c-0', { release: 'c' }),
    ];
    expect(names(found, ['a', 'b'])).toEqual(['sm-a-1', 'sm-b-0']);
    expect(chooseServers(found, { ...selection, groups: ['a', 'b'] }).map(({ group }) => group)).toEqual(['a', 'b']);
  });

  it('is nobody where none is ready, and a group without one stops the backup', () => {
    expect(() => names([])).toThrow(/no pod has the labels component=sm,database=demo/);
    expect(() => names([server('sm-0', { ready: false })])).toThrow(/is ready: sm-0/);
    expect(() => names([server('sm-a-0', { release: 'a' })], ['a', 'b'])).toThrow(/no pod has .*release=b/);
  });

  it('is not guessed where the pods are of several groups and the policy does not say what these hold', () => {
    const found = [server('sm-a-0', { release: 'a' }), server('sm-b-0', { release: 'b' })];
    expect(() => names(found)).toThrow(/of 2 groups by their label release \(a, b\)/);
  });
});
