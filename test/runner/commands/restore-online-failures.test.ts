/**
 * Restores of an online backup that come to nothing: what they leave on the server, which is nothing. With the stand-ins of
 * restore-online.test.ts.
 */
import { createHash } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StillpointError } from '../../../runner/errors';
import type { Oddities, SystemStandin } from '../../support/neo4j-system-standin';
import * as restores from './online-restores';
import { server, type Wanted } from './online-restores';
import { FIRST, OnlineStandins } from './online-standins';

let standins: OnlineStandins;

beforeEach(async () => {
  standins = await OnlineStandins.create();
});
afterEach(() => standins[Symbol.asyncDispose]());

const restore = (wanted?: Wanted) => restores.restore(standins, wanted);
const failure = (wanted: Wanted) => restores.failure(standins, wanted);
const scratch = () => restores.scratch(standins);

describe('a restore that comes to nothing', () => {
  it.each([
    ['its file was altered', 'stream-broken'],
    ['its file is gone', 'object-not-found'],
  ])('since %s changes nothing there, whatever was asked', async (how, code) => {
    const { objects: [object] = [] } = await standins.take();
    const path = new URL(object?.location ?? '');
    if (code === 'stream-broken') {
      await writeFile(path, (await readFile(path, 'utf8')).replace('10', '11'));
    } else await rm(path);
    const system = server();
    expect(await failure({ system }), how).toMatchObject({ code });
    expect(system.changed).toEqual([]);
    expect(await scratch()).toEqual([]);
  });

  it.each<[string, Oddities, Partial<StillpointError>]>([
    ['the server is of another edition', { edition: 'community' }, { code: 'server-unsafe' }],
    ['the server fetches nothing by HTTP', { providers: 'CloudSeedProvider' }, { code: 'server-unsafe' }],
  ])('since %s changes nothing there, and brings no file', async (_, oddities, error) => {
    await standins.take();
    const system = server(oddities);
    const read: string[] = [];
    expect(await failure({ system, read })).toMatchObject(error);
    expect(system.changed).toEqual([]);
    expect(read).toEqual([]);
  });

  it('since the server refuses the seed says so, and removes what it had made', async () => {
    await standins.take();
    const refuses = () => {
      throw new Error('no such format');
    };
    const system = server({ seeded: refuses });
    expect(await failure({ system })).toMatchObject({
      code: 'restore-failed',
      message: 'the server has customer1 offline: Unable to start database: no such format; it had fetched it',
    });
    expect(Object.keys(system.databases)).toEqual(['customer2', 'system']);
  });

  it('since the files are not consistent changes nothing, unless nobody was to look', async () => {
    await standins.take();
    const { objects: [object] = [] } = await standins.recordOf();
    // As a fault of the medium that the record knows of already would be: what is compared fits, what is checked does not.
    const content = JSON.stringify({
      ...JSON.parse(await readFile(new URL(object?.location ?? ''), 'utf8')),
      broken: true,
    });
    await writeFile(new URL(object?.location ?? ''), content);
    const stored = await standins.registry.get('shop', 'graph', FIRST);
    if (stored === undefined || object === undefined) throw new Error('no record');
    const sha256 = createHash('sha256').update(content).digest('hex');
    const bytes = Buffer.byteLength(content);
    const now = { ...object, bytes, sha256, plainBytes: bytes, plainSha256: sha256 };
    await standins.registry.update(stored, { ...stored.record, objects: [now] });
    const system = server();
    expect(await failure({ system })).toMatchObject({
      code: 'tool-failed',
      message: expect.stringContaining('check of customer1'),
    });
    expect(system.changed).toEqual([]);
    expect(await restore({ system, check: false })).toMatchObject({ database: 'customer1' });
  });

  it('since the chain ends before what the record says changes nothing', async () => {
    await standins.take();
    const stored = await standins.registry.get('shop', 'graph', FIRST);
    if (stored === undefined) throw new Error('no record');
    const [database] = stored.record.dump?.databases ?? [];
    if (database === undefined) throw new Error('no database');
    const dump = { tool: '', ...stored.record.dump, databases: [{ ...database, highestTransaction: 11 }] };
    await standins.registry.update(stored, { ...stored.record, dump });
    const system = server();
    expect(await failure({ system })).toMatchObject({ code: 'restore-differs' });
    expect(system.changed).toEqual([]);
  });

  it.each([
    [{}, 'config-invalid', 'has 2 databases, and none is named'],
    [{ only: 'customer9' }, 'backup-not-restorable', 'has no database customer9'],
    [{ only: 'customer1', into: 'system' }, 'config-invalid', 'the database system'],
    [{ only: 'customer1', alias: 'nobody' }, 'database-not-found', 'there is no alias nobody'],
  ])('since it was asked for %j touches nothing', async (which, code, message) => {
    await standins.take({ online: { databases: ['customer?'] } });
    const system = server();
    expect(await failure({ ...which, system })).toMatchObject({ code, message: expect.stringContaining(message) });
    expect(system.changed).toEqual([]);
  });

  it('since it was told to stop removes what it had made', async () => {
    await standins.take();
    const stop = new AbortController();
    // It is never online: the run waits for it.
    const system: SystemStandin = server({
      seeded: () => {
        stop.abort(new StillpointError('interrupted', 'told to stop'));
        throw new Error('');
      },
    });
    expect(await failure({ system, signal: stop.signal })).toMatchObject({ code: 'interrupted' });
    expect(Object.keys(system.databases)).toEqual(['customer2', 'system']);
  });
});
