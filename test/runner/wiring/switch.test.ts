/** What was typed is understood before a server is asked. */
import { expect, it } from 'vitest';
import type { SwitchCommandOptions } from '../../../runner/cli/switch';
import { systemClock } from '../../../runner/clock';
import { formatSwitched } from '../../../runner/output/switched';
import { switchHandler } from '../../../runner/wiring/switch';
import type { World } from '../../../runner/wiring/world';
import { QuietLog } from '../../support/quiet-log';

const world = {
  clock: systemClock,
  log: new QuietLog(),
  signal: new AbortController().signal,
  env: {},
} as unknown as World;
const options: SwitchCommandOptions = { host: '127.0.0.1', port: 1, user: 'neo4j', timeout: 20_000, output: 'table' };

it.each([{}, { back: true, toDatabase: 'green' }])('a switch needs one place to go to, not %j', async (where) => {
  await expect(switchHandler('customer1', { ...options, ...where }, world)).rejects.toMatchObject({
    code: 'usage-invalid',
  });
});

it('a switch says that nobody answers', async () => {
  const refused = switchHandler('customer1', { ...options, back: true }, world);
  await expect(refused).rejects.toMatchObject({ code: 'server-unreachable' });
});

it('what was moved is printed as it is asked for', () => {
  const switched = { alias: 'customer1', from: 'blue', to: 'green', at: '2026-11-27T00:00:00.000Z' };
  expect(formatSwitched(switched, 'table')).toBe('alias customer1 moved from blue to green\n');
  expect(formatSwitched(switched, 'name')).toBe('green\n');
  expect(JSON.parse(formatSwitched(switched, 'json'))).toEqual(switched);
  expect(formatSwitched(switched, 'yaml')).toContain('from: blue\n');
});
