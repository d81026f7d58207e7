/** Synth of a thousand policies, against the same objects written with cdk8s-plus alone. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, Chart } from 'cdk8s';
import { Secret } from 'cdk8s-plus-28';
import { BackupSchedule, BackupVolume, PostgresBackup, SnapshotClass } from 'stillpoint';
import { plainPolicy } from './plain-policies';
import type { BenchRow } from './rows';

const NAMESPACES = 10;
const DATABASES_EACH = 100;
const ROUNDS = 5;

/** The most that the constructs may take of the plain objects' time. */
const RATIO_TARGET = 1.5;

type Define = (chart: Chart, namespace: string, database: string) => void;

const SCHEDULE = BackupSchedule.daily({ hour: 2 });

const withConstructs: Define = (chart, _, database) => {
  new PostgresBackup(chart, database, {
    host: database,
    credentials: Secret.fromSecretName(chart, `${database}-login`, `${database}-login`),
    volumes: [BackupVolume.fromClaimName(`data-${database}-0`)],
    snapshotClass: SnapshotClass.fromName('retained'),
    schedule: SCHEDULE,
  });
};

const plainly: Define = (chart, namespace, database) => {
  const [minute = ''] = SCHEDULE.expressionFor(`${namespace}/${database}-backup`).split(' ');
  plainPolicy(chart, namespace, database, minute);
};

/** Synthesises all policies into a folder. Returns how long it took, in milliseconds. */
function synth(define: Define, outdir: string): number {
  const began = performance.now();
  const app = new App({ outdir });
  for (let team = 0; team < NAMESPACES; team++) {
    const namespace = `team-${team}`;
    const chart = new Chart(app, namespace, { namespace });
    for (let index = 0; index < DATABASES_EACH; index++) define(chart, namespace, `db-${index}`);
  }
  app.synth();
  return performance.now() - began;
}

/** What is compared must be the same; else the ratio says nothing. */
function assertSame(one: string, other: string): void {
  for (const file of readdirSync(one)) {
    if (readFileSync(join(one, file), 'utf8') !== readFileSync(join(other, file), 'utf8')) {
      throw new Error(`${file} of the constructs is not what plain-policies.ts writes: bring that up to date`);
    }
  }
}

function median(values: readonly number[]): number {
  return [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN;
}

export async function* bench(): AsyncGenerator<BenchRow, void> {
  const folder = mkdtempSync(join(tmpdir(), 'stillpoint-synth-'));
  const [ours, plain] = [join(folder, 'ours'), join(folder, 'plain')];
  try {
    // The first round warms up both, and shows that they write the same.
    synth(plainly, plain);
    synth(withConstructs, ours);
    assertSame(ours, plain);
    // In turns, so that a machine that slows down does so for both.
    const rounds = Array.from({ length: ROUNDS }, () => ({
      plain: synth(plainly, plain),
      ours: synth(withConstructs, ours),
    }));
    const [oursMs, plainMs] = [median(rounds.map((round) => round.ours)), median(rounds.map((round) => round.plain))];
    yield* [
      { name: 'synth of 1,000 databases, constructs', value: Math.round(oursMs), unit: 'ms' },
      { name: 'synth of 1,000 databases, plain cdk8s-plus', value: Math.round(plainMs), unit: 'ms' },
      {
        name: 'synth, constructs over plain',
        value: Math.round((oursMs / plainMs) * 100) / 100,
        unit: '×',
        target: RATIO_TARGET,
      },
    ];
  } finally {
    rmSync(folder, { recursive: true });
  }
}
