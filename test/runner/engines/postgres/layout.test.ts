import { describe, expect, it } from 'vitest';
import type { PlanRequest } from '../../../../runner/engine';
import { chooseLayout, requestProblems } from '../../../../runner/engines/postgres/layout';
import { cutOrder } from '../../../../runner/engines/postgres/plan-backup-mode';
import type { Volume } from '../../../../runner/ports';

const volumes = (...roles: readonly Volume['role'][]): readonly Volume[] =>
  roles.map((role, index) => ({ name: `${role}-${index}`, role, claim: `claim-${index}`, namespace: 'shop' }));

const request = (more: Partial<PlanRequest> = {}): PlanRequest => ({
  id: '20260101000000',
  volumes: volumes('data'),
  layout: 'auto',
  groupClass: false,
  atomicStore: true,
  options: {},
  ...more,
});

describe('the layout of a request', () => {
  it.each([
    ['one atomic volume', {}, 'atomic'],
    ['several, with group snapshots', { volumes: volumes('data', 'log'), groupClass: true }, 'group'],
    ['several, without', { volumes: volumes('data', 'log') }, 'backup-mode'],
    ['one folder that is copied', { atomicStore: false }, 'backup-mode'],
    [
      'several folders, although a class is named',
      { volumes: volumes('data', 'log'), groupClass: true, atomicStore: false },
      'backup-mode',
    ],
    ['what the user says', { layout: 'backup-mode' }, 'backup-mode'],
  ] as const)('%s: %o is %s', (_, more, layout) => {
    expect(chooseLayout(request(more))).toBe(layout);
  });
});

describe('what speaks against a request', () => {
  it.each([
    ['nothing against one atomic volume', {}, []],
    ['nothing against data, log and tablespaces', { volumes: volumes('data', 'log', 'tablespace', 'tablespace') }, []],
    ['nothing against tablespaces with the log among the data', { volumes: volumes('data', 'tablespace') }, []],
    ['atomic over two volumes', { layout: 'atomic', volumes: volumes('data', 'log') }, ['volume-mismatch']],
    ['atomic by copying', { layout: 'atomic', atomicStore: false }, ['driver-unsafe']],
    ['a group without a class', { layout: 'group' }, ['config-invalid']],
    ['no data', { volumes: volumes('log') }, ['volume-mismatch']],
    ['data twice', { volumes: volumes('data', 'data') }, ['volume-mismatch']],
    ['two logs', { volumes: volumes('data', 'log', 'log') }, ['volume-mismatch']],
    ['a copied folder with the log inside', { atomicStore: false }, ['volume-mismatch']],
    ['an option that is not known', { options: { compress: 'yes' } }, ['config-invalid']],
    ['an option with a value that is not', { options: { checkpoint: 'yes' } }, ['config-invalid']],
    ['nothing against a known option', { options: { checkpoint: 'true' } }, []],
  ] as const)('%s: %o', (_, more, codes) => {
    const found = requestProblems(request(more));
    expect(found.map(({ code }) => code)).toEqual(codes);
    for (const { hint } of found) expect(hint).toBeTruthy();
  });
});

describe('the order of cuts in backup mode', () => {
  it.each([
    ['the log last', ['data', 'log'], false, [['data-0']], ['log-1']],
    [
      'tablespaces together with the data',
      ['data', 'log', 'tablespace'],
      false,
      [['tablespace-2', 'data-0']],
      ['log-1'],
    ],
    [
      'on a standby the tablespaces before the data',
      ['data', 'log', 'tablespace'],
      true,
      [['tablespace-2'], ['data-0']],
      ['log-1'],
    ],
    ['the data last, when the log is among them', ['data', 'tablespace'], false, [['tablespace-1']], ['data-0']],
    ['only the data', ['data'], false, [], ['data-0']],
  ] as const)('%s', (_, roles, standby, before, after) => {
    expect(cutOrder({ volumes: volumes(...roles) }, standby)).toEqual({ before, after });
  });
});
