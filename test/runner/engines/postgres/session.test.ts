/** What a session makes of a server that is not any more what it was when the session opened. */
import { describe, expect, it } from 'vitest';
import type { Plan } from '../../../../runner/engine';
import type { Connection, Row } from '../../../../runner/engines/postgres/connection';
import type { Identity, ServerFacts } from '../../../../runner/engines/postgres/facts';
import { PostgresSession } from '../../../../runner/engines/postgres/session';
import { dialectOf } from '../../../../runner/engines/postgres/versions';
import type { Volume } from '../../../../runner/ports';
import { NO_TARGET } from '../../../../runner/target';

const STANDBY: Identity = { systemIdentifier: '7', timeline: '1', role: 'standby', postmasterStart: 'then' };
const PROMOTED = { role: 'primary', timeline: '2' };

const within = { signal: new AbortController().signal, remainingMs: () => 5_000 };

const volume = (name: string, role: Volume['role']): Volume => ({
  name,
  role,
  claim: name,
  namespace: 'shop',
  mountPath: `/${name}`,
});

/** A plan on a session that opened with a standby; `now` is what the server says of itself from then on. */
function planOf(now: { value: Partial<Identity> }, layout: 'atomic' | 'backup-mode'): Plan {
  const connection = {
    usable: true,
    announcedPid: '42',
    row: async (): Promise<Row> => ({ pid: '42', ...STANDBY, ...now.value, lsn: '0/1', from: '0/1', bytes: '0' }),
    rows: async (): Promise<readonly Row[]> => [{ lsn: '0/1' }],
  } as unknown as Connection;
  const server = { dialect: dialectOf(170_000), identity: STANDBY, settings: {} } as unknown as ServerFacts;
  return new PostgresSession(connection, server, NO_TARGET).plan({
    id: '20260101000000',
    volumes: layout === 'atomic' ? [volume('data', 'data')] : [volume('data', 'data'), volume('wal', 'log')],
    layout,
    groupClass: false,
    atomicStore: true,
    options: {},
  });
}

/** Up to the first cut: what the executor does, the first observation included. */
async function untilCut(plan: Plan): Promise<void> {
  for (const step of plan.steps) {
    if (step.kind === 'cut') break;
    await step.run(within);
  }
  await plan.observe(within);
}

describe.each(['atomic', 'backup-mode'] as const)('a standby, layout %s', (layout) => {
  it('that was promoted since is not what the checks have found', async () => {
    await expect(untilCut(planOf({ value: PROMOTED }, layout))).rejects.toMatchObject({
      code: 'server-changed',
      message: 'since the backup looked at the server role went from standby to primary',
    });
  });

  it('that follows a new primary since is, on its new timeline', async () => {
    const plan = planOf({ value: { timeline: '2' } }, layout);
    await untilCut(plan);
    expect(plan.results().position).toMatchObject({ timeline: '2' });
  });

  it('that is promoted after the first cut is left to the proof', async () => {
    const now: { value: Partial<Identity> } = { value: {} };
    const plan = planOf(now, layout);
    await untilCut(plan);
    now.value = PROMOTED;
    expect(await plan.observe(within)).toMatchObject(PROMOTED);
  });
});
