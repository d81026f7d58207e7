import { expect, it } from 'vitest';
import { systemClock } from '../../../runner/clock';
import type { Plan } from '../../../runner/engine';
import { fromOutside } from '../../../runner/outside';
import type { MemberConfig } from '../../../src/contract';

it('what is stopped takes no hooks: nothing is looked at, and nothing planned', async () => {
  const config = {
    offline: { kind: 'StatefulSet', name: 'graph' },
    hooks: [{ name: 'writer', commands: { pod: 'graph-0', preFreeze: ['on'], postThaw: ['off'] } }],
  } as unknown as MemberConfig;
  const signal = new AbortController().signal;
  const found = await fromOutside({} as Plan, { config }, [], { clock: systemClock, signal });
  expect(found).toMatchObject({ plan: undefined, findings: [{ severity: 'error', code: 'offline-unsuitable' }] });
});
