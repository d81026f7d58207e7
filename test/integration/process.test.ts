/** The program as a process: on a terminal, in a pipe, and with the exit codes that are documented. Its records are in a folder. */
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { DirectoryRegistry } from '../../runner/registry/directory';
import { type Bundle, bundleRunner } from '../../scripts/demo/bundle';
import type { BackupRecord } from '../../src/contract';
import { eventually } from '../e2e/harness/wait';
import { KEYS, NO_TERMINAL, type OnTerminal, onTerminal, type Typing } from '../support/pseudo-terminal';
import { QuietLog } from '../support/quiet-log';
import { record } from '../support/record';

const [OLDER, NEWER] = ['20260101020000', '20260102020000'];
const GREEN = '\u001b[32m';

let bundle: Bundle;
let folder: string;
let registry: DirectoryRegistry;
let folders = 0;

beforeAll(async () => {
  bundle = await bundleRunner();
  folder = await mkdtemp(join(tmpdir(), 'stillpoint-process-'));
});
afterAll(async () => {
  await bundle?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(() => {
  registry = new DirectoryRegistry(join(folder, `${folders++}`), new QuietLog());
});

const words = (...args: readonly string[]): readonly string[] => [
  process.execPath,
  bundle.stillpoint,
  ...args,
  '--registry-directory',
  join(folder, `${folders - 1}`),
];

interface Ended {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** In pipes, as a script runs it. */
function piped(
  args: readonly string[],
  nodeOptions: readonly string[] = [],
): Promise<Ended> & { readonly pid: number } {
  const [node = '', ...rest] = words(...args);
  const { NO_COLOR: _, FORCE_COLOR: __, ...env } = process.env;
  const child = spawn(node, [...nodeOptions, ...rest], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
    });
  }
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ exitCode: code ?? -1, ...output }));
  });
  return Object.assign(ended, { pid: child.pid ?? 0 });
}

/** Whether a process is told of changes to files. */
async function watches(pid: number): Promise<true | undefined> {
  const open = await readdir(`/proc/${pid}/fd`);
  const targets = await Promise.all(open.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')));
  return targets.some((target) => target.includes('inotify')) ? true : undefined;
}

const there = async (id: string): Promise<BackupRecord | undefined> =>
  (await registry.get('shop', 'orders-db', id))?.record;

async function two(): Promise<void> {
  await registry.create(record({ id: OLDER }));
  await registry.create(record({ id: NEWER }));
}

describe.skipIf(NO_TERMINAL !== undefined)(
  `on a terminal${NO_TERMINAL === undefined ? '' : `: ${NO_TERMINAL}`}`,
  () => {
    test('what succeeded is green, and is not in a pipe, nor where NO_COLOR is set', async () => {
      await two();
      expect((await onTerminal(words('list'))).screen).toContain(`${GREEN}succeeded`);
      expect((await onTerminal(words('list'), { env: { NO_COLOR: '1' } })).screen).not.toContain('\u001b');
      expect((await onTerminal(words('list'), { env: { TERM: 'dumb' } })).screen).not.toContain('\u001b');
      const { stdout } = await piped(['list']);
      expect(stdout).toContain('succeeded');
      expect(stdout).not.toContain('\u001b');
    });

    const deletion = (keys: string): Promise<OnTerminal> => {
      const typing: Typing = { when: '[y/N]', keys };
      return onTerminal(words('delete', `shop/orders-db/${OLDER}`), { typing: [typing] });
    };

    test.each([
      ['y', 'y\n'],
      ['YES', 'YES\n'],
    ])('delete asks, and does it when it is answered with %s', async (_, keys) => {
      await two();
      const { screen, exitCode } = await deletion(keys);
      expect(screen).toContain(`delete backup shop/orders-db/${OLDER} with 0 snapshots? This cannot be undone. [y/N]`);
      expect(screen).toContain(`backup shop/orders-db/${OLDER} deleted`);
      expect(exitCode).toBe(0);
      expect(await there(OLDER)).toBeUndefined();
    });

    test.each([
      ['n', 'n\n', 'nobody said yes (delete-refused)', 3],
      ['nothing but return', '\n', 'nobody said yes (delete-refused)', 3],
      ['another word', 'yikes\n', 'nobody said yes (delete-refused)', 3],
      ['the end of the input (^D)', KEYS.end, 'nobody said yes (delete-refused)', 3],
      ['^C', KEYS.interrupt, 'stopped by SIGINT (interrupted)', 4],
    ])('delete asks, and does nothing when it is answered with %s', async (_, keys, said, code) => {
      await two();
      const { screen, exitCode } = await deletion(keys);
      expect(screen).toContain(said);
      expect(exitCode).toBe(code);
      expect(await there(OLDER)).toMatchObject({ phase: 'succeeded' });
    });
  },
);

test('without a terminal nobody is asked, and the answer is no', async () => {
  await two();
  expect(await piped(['delete', `shop/orders-db/${OLDER}`])).toMatchObject({
    exitCode: 3,
    stdout: '',
    stderr: expect.stringContaining('(delete-refused)'),
  });
  expect(await there(OLDER)).toMatchObject({ phase: 'succeeded' });
});

describe('exit codes', () => {
  test('8 when what is waited for does not come in time; 0 when it does, also to be gone', async () => {
    await registry.create(record({ id: OLDER, phase: 'freezing' }));
    await registry.create(record({ id: NEWER, phase: 'freezing' }));
    expect(await piped(['wait', `shop/orders-db/${OLDER}`, '--timeout', '1s'])).toMatchObject({
      exitCode: 8,
      stderr: expect.stringContaining('was not succeeded in time (wait-timeout)'),
    });
    const both = [`shop/orders-db/${NEWER}`, `shop/orders-db/${OLDER}`];
    const waiting = piped(['wait', ...both, '--for', 'deleted', '-o', 'json']);
    await eventually('the process watches the folder', () => watches(waiting.pid));
    for (const id of [OLDER, NEWER]) {
      const stored = await registry.get('shop', 'orders-db', id);
      if (stored !== undefined) await registry.remove(stored);
    }
    const { exitCode, stdout, stderr } = await waiting;
    expect(exitCode, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject([{ id: NEWER }, { id: OLDER }]);
  });

  test('1 for a fault of its own, which says so', async () => {
    await two();
    // What nobody has foreseen: a function of Node that is none.
    const fault = `import fs from 'node:fs/promises';
      import { syncBuiltinESMExports } from 'node:module';
      fs.readdir = () => { throw new TypeError('x is not a function'); };
      syncBuiltinESMExports();`;
    expect(await piped(['list'], ['--import', `data:text/javascript,${encodeURIComponent(fault)}`])).toMatchObject({
      exitCode: 1,
      stderr: 'error: x is not a function (internal)\n',
    });
  });
});

test('1 when it ends in the middle: nobody takes that for success', async () => {
  await two();
  const stuck = `import fs from 'node:fs/promises';
    import { syncBuiltinESMExports } from 'node:module';
    fs.readdir = () => new Promise(() => {});
    syncBuiltinESMExports();`;
  expect(await piped(['list'], ['--import', `data:text/javascript,${encodeURIComponent(stuck)}`])).toMatchObject({
    exitCode: 1,
    stdout: '',
    stderr: expect.stringContaining('error: the program ended before its work did (internal)'),
  });
});

test('what comes of it is printed as it is asked for: names, one document for one, a list for several', async () => {
  await two();
  await registry.create(record({ id: '20260103020000' }));
  const name = `shop/orders-db/${OLDER}`;
  expect((await piped(['protect', name, '-o', 'name'])).stdout).toBe(`${name}\n`);
  expect(JSON.parse((await piped(['protect', name, '-o', 'json'])).stdout)).toMatchObject({
    id: OLDER,
    retention: { protected: true },
  });
  const both = [name, `shop/orders-db/${NEWER}`];
  // Of several the first that may not go stops all of them.
  expect(await piped(['delete', ...both, '--yes', '-o', 'name'])).toMatchObject({ exitCode: 3, stdout: '' });
  expect((await piped(['release', ...both])).stdout).toBe(
    `backup ${both[0]} released\nbackup ${both[1]} was not protected already\n`,
  );
  expect(JSON.parse((await piped(['delete', ...both, '--yes', '-o', 'json'])).stdout)).toMatchObject([
    { id: NEWER, phase: 'deleting' },
    { id: OLDER, phase: 'deleting' },
  ]);
  expect(await piped(['wait', 'latest', '-o', 'yaml'])).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(/^apiVersion: .*\n/),
  });
  expect(JSON.parse((await piped(['prune', '-o', 'json'])).stdout)).toEqual({ removed: [], cleaned: [], left: [] });
});

test.each([
  [['delete', '-l', 'a=b', 'latest'], 'backups are named or chosen by -l, not both: latest (usage-invalid)'],
  [['wait'], 'no backup is named (usage-invalid)'],
  // In a folder nothing has labels: what is meant by them is nothing, and not everything.
  [['delete', '-l', 'a=b', '--yes'], 'records in a folder have no labels to select by: a=b (usage-invalid)'],
  [['status', '-l', 'a=b'], 'records in a folder have no labels to select by: a=b (usage-invalid)'],
])('%j is refused', async (args, said) => {
  await two();
  expect(await piped(args)).toMatchObject({ exitCode: 2, stdout: '', stderr: expect.stringContaining(said) });
  expect(await there(OLDER)).toBeDefined();
});
