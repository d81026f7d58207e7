/** The table of operators in the documentation says what the code does: each way of recognising one, and each verdict. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { operatorFindings, operatorOf, type Traces } from '../../runner/operators';

const NONE: Traces = { labels: {}, owners: [] };

interface Row {
  readonly operator: string;
  readonly ways: readonly (readonly [way: string, traces: Traces])[];
  readonly verdict: string;
}

/** As `label \`a: b\` and \`c\``: pods carry all of them. */
function labelled(text: string): readonly (readonly [string, Traces])[] {
  const labels = [...text.matchAll(/`([^`]+)`/g)].map(([, label = '']) => label.split(': '));
  if (labels.length === 0) return [];
  return [[text, { ...NONE, labels: Object.fromEntries(labels.map(([name = '', value = 'any']) => [name, value])) }]];
}

/** As `owner in \`group\`, \`group\``: each is enough. */
function owned(text: string): readonly (readonly [string, Traces])[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, group = '']) => {
    return [`owner in ${group}`, { ...NONE, owners: [{ group, kind: 'Any', name: 'orders' }] }];
  });
}

const rows: readonly Row[] = readFileSync('docs/operators.md', 'utf8')
  .split('\n')
  .filter((line) => /^\| .*(label|owner)/.test(line))
  .map((line) => {
    const [, operator = '', recognised = '', verdict = ''] = line.split('|').map((cell) => cell.trim());
    const parts = recognised.split('; ');
    const ways = parts.flatMap((part) => (part.startsWith('label') ? labelled(part) : owned(part.split(':')[0] ?? '')));
    return { operator, ways, verdict };
  });

const VERDICTS: Readonly<Record<string, string>> = { '–': 'ok', supported: 'ok', warning: 'warning', refused: 'error' };

test('there are rows, and several ways in most', () => {
  expect(rows.length).toBeGreaterThan(9);
  expect(rows.flatMap(({ ways }) => ways).length).toBeGreaterThan(18);
});

describe.each(rows)('$operator', ({ ways, verdict }) => {
  test.each(ways)('is recognised by %s, and no other one is', (_, traces) => {
    const names = ways.map(([, each]) => operatorOf(each)?.name);
    expect(operatorOf(traces)?.name).toBe(names[0]);
    const others = rows.filter((row) => row.ways !== ways).flatMap((row) => row.ways);
    expect(others.map(([, each]) => operatorOf(each)?.name)).not.toContain(operatorOf(traces)?.name);
  });

  test(`a backup that holds writes is: ${verdict}`, () => {
    const operator = operatorOf(ways[0]?.[1] ?? NONE);
    const [finding] = operatorFindings(operator, { freezes: 'writes' }, 'pod shop/db-0');
    expect(finding?.severity).toBe(VERDICTS[/^[^\s(:]+/.exec(verdict)?.[0] ?? '']);
  });
});
