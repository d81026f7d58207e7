/**
 * The main job, on the storage of a cluster: a ledger commits rows all the time, a backup is taken and restored beside
 * the original, and holds every row that was acknowledged before the first snapshot was asked for, and none that was
 * begun after the last cut was seen.
 */
import { describe, expect, onTestFinished, test } from 'vitest';
import { sqlLedger } from '../ledger/sql';
import { compareLedger, LedgerWriter } from '../ledger/writer';
import { SOAK } from '../support/soak';
import { succeeded, takeBackup } from './harness/backup';
import { eventsOf } from './harness/job';
import { makeNamespace } from './harness/namespace';
import { applyPolicy, type PolicyOptions } from './harness/policy';
import { type PostgresOptions, startOnClaims, startPostgres } from './harness/postgres';
import { stillpoint } from './harness/stillpoint';

interface Situation {
  readonly layout: 'atomic' | 'backup-mode' | 'group';
  readonly server: Partial<PostgresOptions>;
  readonly policy: PolicyOptions;
}

const LABELS = { 'backup-group': 'orders' };

const SITUATIONS: readonly Situation[] = [
  { layout: 'atomic', server: {}, policy: {} },
  { layout: 'backup-mode', server: { separateWal: true }, policy: { separateWal: true } },
  { layout: 'group', server: { separateWal: true, claimLabels: LABELS }, policy: { asGroup: true } },
];

describe.each(['17', '15'] as const)('PostgreSQL %s', (version) => {
  // The older one stands still in the same way.
  test.each(SOAK || version === '17' ? SITUATIONS : SITUATIONS.slice(0, 1))(
    '$layout: the restored database holds what was committed at the cut',
    async (situation) => {
      const { layout } = situation;
      await using namespace = await makeNamespace(layout);
      const server = await startPostgres({ namespace: namespace.name, version, ...situation.server });
      const policy = await applyPolicy(server, situation.policy);
      const ledger = await LedgerWriter.start({
        connect: async () => sqlLedger(await server.connect()),
        now: Date.now,
      });
      onTestFinished(() => ledger.stop());
      await ledger.more(50);

      const end = await takeBackup(policy);
      const record = succeeded(end);
      await ledger.more(20);
      await ledger.stop();

      expect(record).toMatchObject({
        layout,
        proof: { holds: true },
        database: 'orders-db',
        namespace: namespace.name,
      });
      expect(record.freezeWindowMs).toBeLessThan(30_000);
      expect(record.warnings ?? []).toEqual([]);
      expect(await eventsOf(end.job)).toEqual([
        `Normal Starting: Backup ${record.id} running`,
        `Normal SuccessfulSnapshot: Successfully completed snapshot ${record.id}`,
      ]);

      const backup = `${namespace.name}/${policy.database}/${record.id}`;
      const claims = server.claims.wal === undefined ? { data: 'copy' } : { data: 'copy-data', wal: 'copy-log' };
      const wanted =
        server.claims.wal === undefined
          ? ['--claim', 'copy']
          : ['--claim', 'data=copy-data', '--claim', 'log=copy-log'];
      const restored = await stillpoint('restore', backup, ...wanted);
      expect(restored, restored.stderr).toMatchObject({ exitCode: 0 });

      const copy = await startOnClaims({ name: 'copy', namespace: namespace.name, image: server.image }, claims);
      onTestFinished(() => copy.end());
      const verdict = compareLedger(ledger.rows, await sqlLedger(copy).numbers(), {
        firstAsked: Date.parse(record.times.firstAsked ?? ''),
        lastSeen: Date.parse(record.times.lastCutSeen ?? ''),
      });
      expect(verdict).toMatchObject({ lost: [], foreign: [] });
      expect(verdict.present).toBeGreaterThanOrEqual(50);
    },
  );
});
