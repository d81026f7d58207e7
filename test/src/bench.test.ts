import { describe, expect, it } from 'vitest';
import { hasOtherWays, modesOf, wantedEngines } from '../bench/engines';
import { noiseBetween, processorTime } from '../bench/machine';
import { numbersPage } from '../bench/numbers';
import { benchRequest } from '../bench/options';
import { heldAtOnce } from '../bench/overlap';
import { tried } from '../bench/tried';

describe('the bench', () => {
  it.each([
    [[], { benches: [], parts: [], engines: [], runs: 5, write: undefined }],
    [['--only', 'freezes', '--runs', '10'], { benches: ['freezes'], runs: 10 }],
    [['--only', 'freezes:disk,cuts:direct'], { benches: ['freezes', 'cuts'], parts: ['disk', 'direct'] }],
    [
      ['many:40', '--engine', 'redis,mysql', '--write', 'a.md', '--with', 'b.json'],
      { benches: ['many'], parts: ['40'], engines: ['redis', 'mysql'], write: 'a.md', others: ['b.json'] },
    ],
  ])('is asked for by %j', (args, request) => {
    expect(benchRequest(args)).toMatchObject(request);
  });

  it('measures engines beside other ways to hold them, and those without where they are named', () => {
    const of = (...engines: string[]) => wantedEngines({ engines, runs: 1, parts: [] });
    expect(of().map(({ name }) => name)).toEqual(['postgres', 'mariadb', 'mysql', 'redis', 'valkey', 'mongo']);
    const named = of('neo4j', 'nuodb');
    expect(named.map((engine) => [engine.name, ...modesOf(engine).map(({ name }) => name)])).toEqual([
      ['nuodb', 'hotsnap', 'fsfreeze', 'suspend'],
      ['neo4j', 'crash', 'offline'],
    ]);
    expect(named.map(hasOtherWays)).toEqual([false, false]);
    expect(() => of('oracle')).toThrow(/no engine oracle; there are .*nuodb, neo4j/);
  });

  it('wants to know how often', () => {
    expect(() => benchRequest(['--runs', 'often'])).toThrow('--runs often');
  });

  it('goes on after a failure, and counts it', async () => {
    const failures: string[] = [];
    expect(await tried('one', async () => 7, failures)).toEqual([7]);
    expect(await tried('other', () => Promise.reject(new Error('no')), failures)).toEqual([]);
    expect(failures).toEqual(['other']);
  });

  it('says how busy the machine was', () => {
    const at = (text: string) => ({ at: '2026-01-01T00:00:00.000Z', load: 1, ...processorTime(text) });
    const noise = noiseBetween(
      at('cpu  100 0 100 800 0 0 0 0 0 0\ncpu0 1 1 1'),
      at('cpu  130 0 120 830 0 0 0 20 0 0\n'),
    );
    expect(noise).toMatchObject({ busy: 0.5, stolen: 0.2 });
  });

  it.each<[string, readonly (readonly [string, string])[], number]>([
    ['nobody', [], 0],
    [
      'one after the other, in the same instant',
      [
        ['01', '02'],
        ['02', '03'],
      ],
      1,
    ],
    [
      'two of three',
      [
        ['01', '03'],
        ['05', '06'],
        ['02', '04'],
      ],
      2,
    ],
  ])('counts who is held at the same time: %s', (_, windows, most) => {
    const at = (second: string): string => `2026-01-01T00:00:${second}.000Z`;
    const records = windows.map(([frozen, thawed]) => ({
      times: { started: at('00'), frozen: at(frozen), thawed: at(thawed) },
    }));
    expect(heldAtOnce(records)).toBe(most);
  });

  it('writes a page with a table for what stands side by side', () => {
    const place = { table: 'cuts', line: '1 volume', column: 'direct' };
    const noise = noiseBetween(
      { at: '2026-01-01T00:00:00.000Z', load: 0.5, busy: 0, stolen: 0, all: 0 },
      { at: '2026-01-01T00:10:00.000Z', load: 1.5, busy: 25, stolen: 0, all: 100 },
    );
    const rows = [
      { name: 'cuts: direct', value: 31, unit: 'ms', spread: [20, 60] as const, target: 30, place },
      { name: 'bundle', value: 5.2, unit: 'MB' },
    ];
    const other = { ...noise, benches: ['many'], runs: 1, rows: [{ name: 'many: 200', value: 7, unit: 's' }] };
    const page = numbersPage([{ ...noise, benches: ['cuts'], runs: 5, rows }, other]);
    expect(page).toContain('|  | direct |\n| --- | ---: |\n| 1 volume | 31 (20–60), over its target |');
    expect(page).toContain('| bundle | 5.2 MB |  |');
    expect(page).toContain('busy for 25 % of the time');
    expect(page).toMatch(/cuts: 2026-01-01.*5 runs[\s\S]*many: 2026-01-01/);
    const again = { ...other, rows: [{ name: 'many: 200', value: 6, unit: 's' }] };
    expect(numbersPage([other, again]).match(/\| many: 200 .*/g)).toEqual(['| many: 200 | 6 s |  |']);
    expect(page).toContain('| many: 200 | 7 s |  |');
  });
});
