/** SIGKILL of a runner, or of its tool, at each step of a dump: real processes, records in a real folder, a stand-in of S3. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type DumpContext, takeDump } from '../../../runner/commands/dump';
import { DirectoryRegistry } from '../../../runner/registry/directory';
import type { BackupRecord } from '../../../src/contract';
import type { KilledDump } from '../../support/killed-dump';
import { QuietLog } from '../../support/quiet-log';
import { type S3Asked, S3StandIn } from '../../support/s3-standin';
import { groupLives } from '../pipe/scripted-tool';
import { CLOSING, dumpContext, ID } from './dump-context';

const RUNNER = fileURLToPath(new URL('../../support/killed-dump.ts', import.meta.url));
const LATER = '20260127041500';
const filesOf = (id: string): readonly string[] =>
  ['owner.yaml', 'dump.sql', 'record.yaml'].map((file) => `stillpoint/shop/orders-db/${id}/${file}`);
const DUMP = filesOf(ID)[1] ?? '';
/** Three parts. */
const MIB = 20;
const WHOLE = MIB * 1024 ** 2 + `\n${CLOSING}\n`.length;

let folder: string;
let s3: S3StandIn;
let tool: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stillpoint-killed-'));
  await mkdir(join(folder, 'records'));
  await mkdir(join(folder, 'keys'));
  await writeFile(join(folder, 'keys', 'AWS_ACCESS_KEY_ID'), 'me');
  await writeFile(join(folder, 'keys', 'AWS_SECRET_ACCESS_KEY'), 'mine');
  tool = join(folder, 'tool');
  s3 = await S3StandIn.start();
});
afterEach(async () => {
  await s3[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const writes = (then: string): string => `
  require('fs').writeFileSync('TOOL', String(process.pid));
  const line = Buffer.alloc(1024 ** 2, 'x');
  let left = ${MIB};
  (function write() {
    while (left-- > 0) if (!process.stdout.write(line)) return process.stdout.once('drain', write);
    ${then}
  })();`;
const GOOD = writes(`console.log('\\n${CLOSING}');`);

const storage = (): KilledDump['storage'] => ({
  kind: 's3',
  s3: { bucket: 'backups', endpoint: s3.endpoint, pathStyle: true },
  credentialsDirectory: join(folder, 'keys'),
  // Nothing here is to fail: on a busy machine a connection may be lost, and is tried again.
  patienceSeconds: 60,
});

/** The runner of a Job. */
function context(records: string, script: string, jobUid = 'job-1', id = ID): DumpContext {
  const registry = new DirectoryRegistry(join(folder, records), new QuietLog());
  const made = dumpContext(
    { storage: storage(), registry, said: [] },
    { script: script.replace('TOOL', tool), jobUid, dump: { compression: 'none' } },
  );
  return { ...made, run: { ...made.run, id } };
}

const recordIn = async (records: string): Promise<BackupRecord | undefined> =>
  (await context(records, GOOD).registry.get('shop', 'orders-db', ID))?.record;

/** A runner that has been killed when this returns: by itself, or at a request. */
async function killedRunner(
  atRecord: number | undefined,
  at: (asked: S3Asked) => 'lost' | 'served' | undefined,
): Promise<void> {
  const told: KilledDump = {
    storage: storage(),
    records: join(folder, 'records'),
    script: GOOD.replace('TOOL', tool),
    atRecord,
  };
  const child = spawn(process.execPath, ['--import', 'tsx', RUNNER, JSON.stringify(told)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  s3.fault = (asked) => {
    const how = at(asked);
    if (how === undefined) return undefined;
    child.kill('SIGKILL');
    return how === 'lost' ? 'reset' : undefined;
  };
  const [, signal] = await once(child, 'close');
  expect([signal, said]).toEqual(['SIGKILL', '']);
  s3.fault = () => undefined;
}

type Asked = Parameters<typeof killedRunner>[1];

/** The n-th request of a kind, and whether the server still does what was asked for; counted anew by each try of a test. */
function request(what: S3Asked['what'], number: number, how: 'lost' | 'served'): () => Asked {
  return () => {
    let seen = 0;
    return (asked) => (asked.what === what && ++seen === number ? how : undefined);
  };
}

const never = (): Asked => () => undefined;

describe('a runner that is killed', () => {
  it.each<[when: string, atRecord: number | undefined, at: () => Asked]>([
    ['before its record has its name', 1, never],
    ['when it looks at the store', undefined, request('list', 1, 'lost')],
    ['before it says what it is going to write', 2, never],
    ['before the folder is its own', undefined, request('put', 1, 'lost')],
    ['when the folder is its own', undefined, request('put', 1, 'served')],
    ['before the upload begins', undefined, request('begin', 1, 'lost')],
    ['when the upload has begun', undefined, request('begin', 1, 'served')],
    ['before the first part', undefined, request('part', 1, 'lost')],
    ['in the middle of the parts', undefined, request('part', 2, 'served')],
    ['after the last part', undefined, request('complete', 1, 'lost')],
    ['when the parts are put together', undefined, request('complete', 1, 'served')],
    ['before the record lies beside the dump', undefined, request('put', 2, 'lost')],
    ['when the record lies beside the dump', undefined, request('put', 2, 'served')],
    ['before the record of the good dump has its name', 3, never],
  ])(
    '%s has no good backup on record and no half object, and whoever comes next cleans up',
    async (_, atRecord, at) => {
      await killedRunner(atRecord, at());
      const left = await recordIn('records');
      expect(left?.phase).not.toBe('succeeded');
      expect([undefined, WHOLE]).toContain(s3.objects.get(DUMP)?.length);
      // Its tool ends with it: nobody reads what that writes.
      if (existsSync(tool)) {
        const group = Number(readFileSync(tool, 'utf8'));
        await vi.waitUntil(() => !groupLives(group), 50_000);
      }

      const before = { objects: [...s3.objects], uploads: [...s3.uploads] };
      await cp(join(folder, 'records'), join(folder, 'copy'), { recursive: true });
      // The next pod of the same Job takes it anew.
      expect((await takeDump(context('records', GOOD))).phase).toBe('succeeded');
      expect([[...s3.objects.keys()], s3.uploads.size]).toEqual([filesOf(ID), 0]);
      expect(s3.objects.get(DUMP)?.length).toBe(WHOLE);

      // Or the next Job of the policy ends it, and removes what it had written.
      s3.objects.clear();
      for (const [key, bytes] of before.objects) s3.objects.set(key, bytes);
      for (const [id, upload] of before.uploads) s3.uploads.set(id, upload);
      expect((await takeDump(context('copy', GOOD, 'job-2', LATER))).phase).toBe('succeeded');
      expect([[...s3.objects.keys()], s3.uploads.size]).toEqual([filesOf(LATER), 0]);
      const ended = await recordIn('copy');
      expect(ended?.error?.code).toBe(left === undefined ? undefined : 'runner-lost');
      expect(ended?.phase).toBe(left === undefined ? undefined : 'failed');
      expect(ended ?? {}).not.toHaveProperty('leftovers');
    },
  );
});

describe('a tool that is killed', () => {
  const dies = "process.kill(process.pid, 'SIGKILL');";
  it.each([
    ['before it has written anything', dies],
    ['when all is written, apart from its closing line', writes(dies)],
    ['behind its closing line', writes(`process.stdout.write('\\n${CLOSING}\\n', () => { ${dies} });`)],
  ])('%s makes a failed dump, with no object and no part left', async (_, script) => {
    await expect(takeDump(context('records', script))).rejects.toMatchObject({
      code: 'tool-failed',
      message: expect.stringContaining('ended with SIGKILL'),
    });
    expect((await recordIn('records'))?.phase).toBe('failed');
    expect([s3.objects.size, s3.uploads.size]).toEqual([0, 0]);
  });
});
