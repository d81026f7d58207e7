/** What a prune would do, as people and scripts read it. Pure. */
import { stringify } from 'yaml';
import type { Candidate, Reason, Verdict } from '../../src/contract';
import type { PruneResult } from '../commands/prune';
import { type Output, recordPath } from './records';
import { type Column, table } from './table';

interface Row {
  readonly namespace: string;
  readonly database: string;
  readonly backup: string;
  readonly policy: string;
  readonly status: string;
  readonly action: 'keep' | 'remove';
  readonly reasons: readonly Reason[];
}

/** A plan; for `-o name` the names of what would go. */
export function formatPlan(plan: readonly Verdict[], output: Output): string {
  if (output === 'name') {
    return plan
      .filter(({ keep }) => !keep)
      .map(({ candidate }) => `${recordPath(candidate.record)}\n`)
      .join('');
  }
  const rows = plan.map((verdict) => rowOf(verdict.candidate, verdict)).sort(byPolicy);
  if (output === 'json') return `${JSON.stringify(rows, null, 2)}\n`;
  if (output === 'yaml') return stringify(rows);
  if (rows.length === 0) return 'No backups found.\n';
  const going = rows.filter(({ action }) => action === 'remove').length;
  return `${table([...COLUMNS, WHY], rows)}\n${rows.length - going} stay, ${going} would go. Nothing was removed.\n`;
}

/** What a prune has done; for `-o name` the names of what is gone. */
export function formatPruned(result: PruneResult, output: Output): string {
  const { removed, cleaned } = result;
  if (output === 'json') return `${JSON.stringify(result, null, 2)}\n`;
  if (output === 'yaml') return stringify(result);
  if (output === 'name') return removed.map((path) => `${path}\n`).join('');
  return `removed ${removed.length}, cleaned ${cleaned.length}\n`;
}

const COLUMNS: readonly Column<Row>[] = [
  { title: 'NAMESPACE', value: ({ namespace }) => namespace },
  { title: 'DATABASE', value: ({ database }) => database },
  { title: 'BACKUP', value: ({ backup }) => backup },
  { title: 'POLICY', value: ({ policy }) => policy },
  { title: 'STATUS', value: ({ status }) => status },
  { title: 'ACTION', value: ({ action }) => action },
];

const WHY: Column<Row> = {
  title: 'REASONS',
  value: ({ reasons }) => reasons.map(({ rule, text }) => `${RULES[rule] ?? rule}: ${text}`).join('; '),
};

/** Where the code of a rule says less than it might to people. */
const RULES: Readonly<Record<string, string>> = { keepWithinSeconds: 'keepWithin' };

function rowOf({ record }: Candidate, { keep, reasons }: Pick<Verdict, 'keep' | 'reasons'>): Row {
  const { namespace, database, id, policy, phase } = record;
  return {
    namespace,
    database,
    backup: id,
    policy,
    status: phase,
    action: keep ? 'keep' : 'remove',
    reasons,
  };
}

/** Policy by policy, each newest first, as the plan has them. */
function byPolicy(one: Row, other: Row): number {
  const [a, b] = [one, other].map(({ namespace, database, policy }) => `${namespace}/${database}/${policy}`);
  return `${a}` < `${b}` ? -1 : `${a}` > `${b}` ? 1 : 0;
}
