/**
 * The contract of all engines, second part: under write load, with the servers' default settings, the restored copy holds
 * every row that was acknowledged before the first snapshot was asked for, and none that was begun after the last cut was
 * seen. Where a position is promised, exact means exact: the copy holds its rows, no more and no less. LEDGER_RUNS says
 * how often that is tried (`npm run soak`: 20).
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LEDGER_RUNS } from '../support/soak';
import { ENGINES } from './engines';
import type { EngineMode, TestServer } from './engines/adapter';
import { type BackupUnderLoad, backupUnderLoad, inspectRestored, startRestored, verdictOn } from './engines/copy';
import { Servers } from './engines/servers';

// Engines side by side, the tests of each one after the other: they share its servers.
describe.concurrent.each(ENGINES)('$title', (adapter) => {
  let servers: Servers;

  beforeAll(async () => {
    servers = await Servers.in(adapter, 'ledger');
  });
  afterAll(() => servers[Symbol.asyncDispose]());

  describe.each(adapter.modes)('mode $name', { concurrent: false }, (mode) => {
    const runs = mode.exact ? LEDGER_RUNS : 1;

    test.each(Array.from({ length: runs }, (_, run) => run + 1))(
      `run %i of ${runs}: the copy holds ${mode.exact ? 'exactly the rows and the position of the record' : 'what was acknowledged before, and nothing from after'}`,
      async (run) => {
        const server = await servers.of(mode);
        const policy = await server.policy(mode, { name: `ledger-${mode.name}` });
        const taken = await backupUnderLoad(server, policy);
        expectRecorded(taken, mode);
        // Its own word is asked for once, where it can be started by itself; the rows are the judge in every run.
        const inspected = run === 1 && adapter.engine.capabilities.startsAlone;
        const [said] = await Promise.all([
          inspected ? inspectRestored(taken.record) : [],
          expectCopied(server, taken, mode),
        ]);
        const { inspection } = server.unmet ?? {};
        expect(said.filter((each) => each !== 'ok' && inspection?.test(each) !== true)).toEqual([]);
        expect(said.length > 0).toBe(inspected);
      },
    );
  });
});

function expectRecorded({ record }: BackupUnderLoad, mode: EngineMode): void {
  const { layout, freezes, mayLose } = mode;
  expect(record).toMatchObject({ phase: 'succeeded', layout, freezes, proof: { holds: true } });
  if (mode.exact) expect(record.position).toMatchObject({ exact: 'true' });
  else expect(record.position?.exact).not.toBe('true');
  if (mayLose !== undefined) expect(record.warnings?.join()).toMatch(mayLose);
}

async function expectCopied(server: TestServer, taken: BackupUnderLoad, mode: EngineMode): Promise<void> {
  await using copy = await startRestored(server, taken.record);
  const rows = await copy.numbers();
  const verdict = verdictOn(taken, rows);
  expect(verdict.foreign).toEqual([]);
  if (mode.mayLose === undefined) expect(verdict.lost).toEqual([]);
  expect(verdict.present).toBeGreaterThanOrEqual(mode.mayLose === undefined ? 100 : 1);
  if (!mode.exact) return;
  expect(taken.record.position).toMatchObject(await copy.position());
  if (taken.others === undefined) return;
  // Each row is one change: as many rows as the position says, not one more or less.
  expect(rows.length).toBe(((await copy.changes?.()) ?? Number.NaN) - taken.others);
}
