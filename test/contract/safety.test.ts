import { globSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const page = readFileSync(new URL('../../docs/safety.md', import.meta.url), 'utf8');
const rules = [...page.matchAll(/^(\d+)\. \*\*/gm)].map(([, number]) => Number(number));
const titles = globSync('test/e2e/**/*.test.ts')
  .map((file) => readFileSync(file, 'utf8'))
  .join('\n');

test('the rules are numbered without a gap', () => {
  expect(rules).toEqual(rules.map((_, index) => index + 1));
  expect(rules.length).toBeGreaterThan(10);
});

test.each(rules)('rule %i is shown by a test on the cluster that carries its number', (number) => {
  expect(titles).toMatch(new RegExp(`['"\`(][^'"\`\\n]*\\brule ${number}\\b`));
});
