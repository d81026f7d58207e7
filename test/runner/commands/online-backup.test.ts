/**
 * An online backup from its checks to its record: neo4j-admin and the database `system` are stand-ins (test/support says what they
 * are not), the first a real child process; files and records lie in real folders.
 */
import { mkdir, readFile, rm, watch, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { doctorDump } from '../../../runner/commands/doctor-dump';
import { takeOnlineBackup } from '../../../runner/commands/online-backup';
import { findRecord } from '../../../runner/dump/source';
import { asStillpointError, StillpointError } from '../../../runner/errors';
import type { DirectoryRegistry } from '../../../runner/registry/directory';
import { type DumpRestoreConfig, fits, isProtected, RECORD } from '../../../src/contract';
import { systemStandin } from '../../support/neo4j-system-standin';
import { QuietLog } from '../../support/quiet-log';
import { FIRST, OnlineStandins, SECOND, type Situation, STANDIN, SYSTEM } from './online-standins';

let standins: OnlineStandins;
let folder: string;
let registry: DirectoryRegistry;
let said: string[];

beforeEach(async () => {
  standins = await OnlineStandins.create();
  ({ folder, registry, said } = standins);
});
afterEach(() => standins[Symbol.asyncDispose]());

const at: OnlineStandins['at'] = (...args) => standins.at(...args);
const take = (situation?: Situation) => standins.take(situation);
const failure = (situation: Situation) => standins.failure(situation);
const contextOf = (situation: Situation) => standins.contextOf(situation);
const recordOf = (id?: string) => standins.recordOf(id);
const stored = () => standins.stored();

describe('an online backup', () => {
  it('puts the files of a database beside its record, with nothing left of the work', async () => {
    const record = await take();
    expect(fits(RECORD, record)).toBe(true);
    expect(record).toMatchObject({ phase: 'succeeded', mode: 'dump', engine: 'neo4j', dump: { tool: '2025.10.0' } });
    expect(record.dump?.databases).toEqual([
      {
        name: 'customer1',
        databaseId: 'id-of-customer1',
        files: [`stillpoint/shop/graph/${FIRST}/customer1-2025-10-07T16-00-01.backup`],
        highestTransaction: 10,
      },
    ]);
    expect(await stored()).toEqual(
      ['customer1-2025-10-07T16-00-01.backup', 'owner.yaml', 'record.yaml'].map((file) => `${FIRST}/${file}`),
    );
    const [object] = record.objects ?? [];
    const content = await readFile(new URL(object?.location ?? ''));
    expect(object?.bytes).toBe(content.length);
    expect(parse(await readFile(join(folder, 'store', `stillpoint/shop/graph/${FIRST}/record.yaml`), 'utf8'))).toEqual(
      JSON.parse(JSON.stringify(await recordOf())),
    );
  });

  it('asks the database system, and of aliases only where some are wanted', async () => {
    const system = SYSTEM();
    await take({ system });
    expect(system.asked).toEqual(['system: SHOW DATABASES YIELD *']);
    const again = SYSTEM();
    await take({ id: SECOND, system: again, online: { databases: undefined, aliases: ['shop'] } });
    expect(again.asked).toHaveLength(2);
  });

  it('takes what an alias points to when it begins', async () => {
    const record = await take({ online: { databases: undefined, aliases: ['shop'] } });
    expect(record.dump?.databases).toMatchObject([{ name: 'customer1', aliases: ['shop'] }]);
    const moved = systemStandin({ customer1: {}, customer2: {} }, { shop: 'customer2' });
    const later = await take({ id: SECOND, system: moved, online: { databases: undefined, aliases: ['shop'] } });
    expect(later.dump?.databases).toMatchObject([{ name: 'customer2', aliases: ['shop'] }]);
  });

  it('takes all that a pattern matches, system too, and passes a composite database over, aloud', async () => {
    const record = await take({ online: { databases: ['*'] } });
    expect(record.dump?.databases?.map(({ name }) => name)).toEqual(['customer1', 'customer2', 'system']);
    expect(record.warnings).toEqual(['database all: it is a composite database, which holds nothing itself']);
  });

  it('is kept until it is released where it was taken before a deployment', async () => {
    expect(isProtected(await take({ trigger: 'pre-deployment' }))).toBe(true);
    expect(isProtected(await take({ id: SECOND }))).toBe(false);
  });
});

describe('where one of several databases fails', () => {
  it.each([
    ['the tool', { env: { STANDIN_FAIL: 'customer1' } }, 'succeeded with problems'],
    ['the server, which has it no longer,', { gone: true }, 'does not exist on the server'],
    ['its check', { broken: true }, 'Inconsistencies found'],
  ])('by %s, the others are backed up, and the Job says which is not', async (_, how, message) => {
    if ('broken' in how) await at('customer1', 10, { broken: true });
    if ('gone' in how) await rm(join(folder, 'server', 'customer1.json'));
    const situation = { online: { databases: ['customer?'] }, ...('env' in how ? { env: how.env } : {}) };
    const error = await failure(situation);
    expect(error).toMatchObject({ code: 'tool-failed' });
    expect(error.message).toContain(`backup ${FIRST} has 1 of 2 databases, and not customer1: `);
    expect(error.message).toContain(message);
    const record = await recordOf();
    expect(fits(RECORD, record)).toBe(true);
    expect(record.phase).toBe('succeeded');
    expect(record.dump?.databases).toMatchObject([
      { name: 'customer1', error: { code: 'tool-failed' } },
      { name: 'customer2', highestTransaction: 10 },
    ]);
    expect((await stored()).filter((file) => file.includes('customer1'))).toEqual([]);
    expect(said.at(-1)).toMatch(/^Warning FailedSnapshot: .*customer1/);
    // A second pod of the Job takes nothing again, and does not make it good.
    expect((await failure(situation)).message).toBe(error.message);
  });

  it('since there is none of that name, it is on record', async () => {
    const error = await failure({ online: { databases: ['customer1', 'customer9'] } });
    expect(error.message).toContain('has 1 of 2 databases, and not customer9: there is no database of that name');
    expect((await recordOf()).dump?.databases?.map(({ name }) => name)).toEqual(['customer1', 'customer9']);
  });
});

describe('an online backup of which nothing is good', () => {
  it.each([
    ['no server answers', { online: { from: ['nobody:6362'] } }, 'tool-failed', 'Connection refused'],
    ['no database is there', { online: { databases: ['nothing'] } }, 'database-not-found', 'database nothing'],
    ['the tool is of 4.4', { env: { STANDIN_VERSION: '4.4.38' } }, 'tool-version', 'folders'],
    ['the tool is not there', { path: '/nonexistent' }, 'tool-missing', 'neo4j-admin could not be started'],
  ])('since %s fails, and leaves nothing', async (_, situation, code, message) => {
    const error = await failure(situation);
    expect(error.code).toBe(code);
    expect(error.message).toContain(message);
    expect(await recordOf()).toMatchObject({ phase: 'failed', error: { code } });
    expect(await stored()).toEqual([]);
  });

  it('since there is no room for what the last one took is not begun', async () => {
    await take();
    const stored = await registry.get('shop', 'graph', FIRST);
    if (stored === undefined) throw new Error('no record');
    const objects = (stored.record.objects ?? []).map((object) => ({ ...object, bytes: Number.MAX_SAFE_INTEGER }));
    await registry.update(stored, { ...stored.record, objects });
    const error = await failure({ id: SECOND });
    expect(error.message).toContain(`the last took ${Number.MAX_SAFE_INTEGER}`);
    expect(await recordOf(SECOND)).toMatchObject({ phase: 'failed' });
  });
});

describe('doctor', () => {
  it('looks at the tool, at what the server has, and at what is missing there, and takes nothing', async () => {
    const context = contextOf({ online: { databases: ['customer?', 'customer9'] } });
    const findings = await doctorDump({ ...context, policies: undefined });
    const told = findings.map(({ severity, subject, message }) => `${severity} ${subject}: ${message}`);
    expect(told).toEqual(
      expect.arrayContaining([
        'ok database graph: neo4j 2025.10.0',
        "ok the engine's tool: 2025.10.0",
        'ok the databases: customer1, customer2',
        'error database customer9: there is no database of that name',
      ]),
    );
    expect(told).toContainEqual(expect.stringMatching(/^ok folder .*store: \d+ bytes are free$/));
    expect(await stored()).toEqual([]);
    await rm(join(folder, 'store'), { recursive: true });
    const without = await doctorDump({ ...context, policies: undefined });
    expect(without).toContainEqual(expect.objectContaining({ severity: 'error', code: 'bucket-not-found' }));
  });
});

describe('a restore from a dump', () => {
  it('refuses an online backup: no server reads it from a stream', async () => {
    await take();
    const found = findRecord(
      {
        config: { spec: { backup: { namespace: 'shop', database: 'graph', id: FIRST } } } as DumpRestoreConfig,
        registry,
        readIdentities: async () => undefined,
        uses: { begin: () => Promise.reject(new Error('it was begun')) },
        log: new QuietLog(),
        signal: new AbortController().signal,
      },
      await contextOf({}).openStore(),
    );
    await expect(found).rejects.toMatchObject({ code: 'backup-not-restorable' });
  });
});

describe('a runner that is told to stop', () => {
  it('while the tool works ends that, and leaves nothing', async () => {
    const stop = new AbortController();
    const tool = join(folder, 'bin', 'neo4j-admin');
    // Says that it has begun, and would go on for ever.
    const begun = join(folder, 'begun');
    await writeFile(
      tool,
      `#!/bin/sh\ncase "$*" in "database backup"*) echo $$ > "${begun}.part"; mv "${begun}.part" "${begun}"; exec "${process.execPath}" -e 'setInterval(() => {}, 1000)';; esac\nexec "${process.execPath}" "${STANDIN}" "$@"\n`,
    );
    const watched = watch(folder);
    const taken = takeOnlineBackup({ ...contextOf({}), signal: stop.signal });
    const settled = taken.catch((thrown: unknown) => asStillpointError(thrown).code);
    for await (const { filename } of watched) if (filename === 'begun') break;
    stop.abort(new StillpointError('interrupted', 'told to stop'));
    expect(await settled).toBe('interrupted');
    expect(await recordOf()).toMatchObject({ phase: 'failed', error: { code: 'interrupted' } });
    expect(await stored()).toEqual([]);
    const pid = Number(await readFile(begun, 'utf8'));
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  });
});

describe('a runner that is gone', () => {
  it('leaves work that the next run removes, with its record ended', async () => {
    await take();
    const first = await registry.get('shop', 'graph', FIRST);
    if (first === undefined) throw new Error('no record');
    const { objects: _, ...rest } = first.record;
    await registry.update(first, { ...rest, phase: 'pending' });
    await mkdir(join(folder, 'store/stillpoint/shop/graph', `${FIRST}.partial`, 'backups'), { recursive: true });
    await writeFile(join(folder, 'store/stillpoint/shop/graph', `${FIRST}.partial`, 'backups', 'x.backup'), 'half');
    await take({ id: SECOND });
    expect(await recordOf()).toMatchObject({ phase: 'failed', error: { code: 'runner-lost' } });
    expect((await stored()).filter((file) => !file.startsWith(SECOND))).toEqual([]);
  });
});
