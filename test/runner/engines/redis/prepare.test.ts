import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { prepare } from '../../../../runner/engines/redis/prepare';
import type { BackupRecord } from '../../../../src/contract';
import { QuietLog } from '../../../support/quiet-log';
import { record } from '../../../support/record';

const FILES = { appenddirname: 'appendonlydir', appendfilename: 'appendonly.aof' };

function recorded(
  position: Readonly<Record<string, string>>,
  settings: Readonly<Record<string, string>>,
): BackupRecord {
  return {
    ...record(),
    engine: 'redis',
    flavour: 'redis',
    serverVersion: '8.0.2',
    settings: { dir: '/data', dbfilename: 'dump.rdb', ...settings },
    position,
    volumes: [{ name: 'data', role: 'data', claim: 'data', mountPath: '/data' }],
  };
}

const DUMP = recorded({ mode: 'rdb' }, { appendonly: 'no', ...FILES });
const DUMP_OF_FILES = recorded({ mode: 'rdb' }, { appendonly: 'yes', ...FILES });
const APPEND_ONLY = recorded({ mode: 'aof' }, { appendonly: 'yes', ...FILES });

describe('preparing the files of a Redis', () => {
  let folder: string;
  let files: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'stillpoint-redis-'));
    files = join(folder, 'appendonlydir');
    await writeFile(join(folder, 'dump.rdb'), 'REDIS0012');
  });
  afterEach(() => rm(folder, { recursive: true }));

  const run = (of: BackupRecord): ReturnType<typeof prepare> =>
    prepare([{ name: 'data', role: 'data', path: folder }], of, new QuietLog());

  it('takes a dump as it is, of a server that starts from one', async () => {
    expect((await run(DUMP)).done).toEqual([]);
    expect(await readdir(folder)).not.toContain('appendonlydir');
  });

  it('makes append-only files of the only dump, where the server would start empty', async () => {
    await run(DUMP_OF_FILES);
    expect((await readdir(files)).sort()).toEqual(['appendonly.aof.1.base.rdb', 'appendonly.aof.manifest']);
    expect(await readFile(join(files, 'appendonly.aof.1.base.rdb'), 'utf8')).toBe('REDIS0012');
    expect(await readFile(join(files, 'appendonly.aof.manifest'), 'utf8')).toBe(
      'file appendonly.aof.1.base.rdb seq 1 type b\n',
    );
  });

  it("puts them in place of the original's own, which are not of the recorded position, and of nothing else", async () => {
    await mkdir(files);
    for (const name of ['appendonly.aof.3.incr.aof', 'appendonly.aof.manifest', 'lost+found']) {
      await writeFile(join(files, name), 'of the original');
    }
    await run(DUMP_OF_FILES);
    expect((await readdir(files)).sort()).toEqual([
      'appendonly.aof.1.base.rdb',
      'appendonly.aof.manifest',
      'lost+found',
    ]);
  });

  it('makes the one append-only file of Redis 6 of the dump, and no link: the server writes on in it', async () => {
    await writeFile(join(folder, 'appendonly.aof'), 'of the original');
    await run(recorded({ mode: 'rdb-paused' }, { appendonly: 'yes', appendfilename: 'appendonly.aof' }));
    expect(await readFile(join(folder, 'appendonly.aof'), 'utf8')).toBe('REDIS0012');
    expect((await stat(join(folder, 'appendonly.aof'))).nlink).toBe(1);
  });

  it('leaves append-only files alone that are the copy', async () => {
    await mkdir(files);
    await writeFile(join(files, 'appendonly.aof.manifest'), 'file appendonly.aof.1.base.rdb seq 1 type b\n');
    await run(APPEND_ONLY);
    expect(await readdir(files)).toEqual(['appendonly.aof.manifest']);
  });

  it('is refused where the files of the record are not there', async () => {
    await expect(run(APPEND_ONLY)).rejects.toMatchObject({
      code: 'restore-failed',
      message: expect.stringContaining('appendonly.aof.manifest'),
    });
  });

  it.each([
    ['by its usual name', {}, 'nodes.conf'],
    ['by a name of its own', { 'cluster-config-file': 'members.conf' }, 'members.conf'],
    ['by a path', { 'cluster-config-file': '/data/members.conf' }, 'members.conf'],
  ])(
    'moves what it knows of a cluster out of the way, %s: the copy would greet the nodes of the original',
    async (_, named, name) => {
      await writeFile(join(folder, name), 'myself,master');
      await run({ ...DUMP, settings: { ...DUMP.settings, ...named } });
      const there = await readdir(folder);
      expect(there).not.toContain(name);
      expect(there).toContain(`${name}.original`);
    },
  );

  it.each(['include /data/parts/own.conf', 'include "parts/*.conf"', "INCLUDE '/data/parts/ow?.conf'"])(
    'takes replication out of a file that the configuration takes in: %s',
    async (line) => {
      await mkdir(join(folder, 'parts'));
      await writeFile(join(folder, 'server.conf'), `port 6379\n${line}\n`);
      await writeFile(join(folder, 'parts', 'own.conf'), 'replicaof primary 6379\nmaxclients 10\n');
      await writeFile(join(folder, 'parts', 'other.txt'), 'replicaof primary 6379\n');
      await run({ ...DUMP, settings: { ...DUMP.settings, config_file: '/data/server.conf' } });
      expect(await readFile(join(folder, 'parts', 'own.conf'), 'utf8')).toMatch(/^# .*replicaof primary 6379\nmax/);
      expect(await readFile(join(folder, 'parts', 'other.txt'), 'utf8')).toBe('replicaof primary 6379\n');
      expect(await readFile(join(folder, 'server.conf'), 'utf8')).toBe(`port 6379\n${line}\n`);
    },
  );

  it('changes no file outside of the copy that its configuration takes in', async () => {
    const outside = `${folder}-outside.conf`;
    await writeFile(outside, 'replicaof primary 6379\n');
    await writeFile(join(folder, 'server.conf'), `include ../${basename(outside)}\n`);
    try {
      await run({ ...DUMP, settings: { ...DUMP.settings, config_file: '/data/server.conf' } });
      expect(await readFile(outside, 'utf8')).toBe('replicaof primary 6379\n');
    } finally {
      await rm(outside);
    }
  });

  it('takes replication and cluster out of a configuration that lies with the data', async () => {
    const lines = [
      'port 6379',
      'replicaof primary 6379',
      'cluster-enabled yes',
      'replica-announce-ip 10.0.0.1',
      'appendonly yes',
    ];
    await writeFile(join(folder, 'server.conf'), lines.join('\n'));
    await run({ ...DUMP, settings: { ...DUMP.settings, config_file: '/data/server.conf' } });
    const left = (await readFile(join(folder, 'server.conf'), 'utf8'))
      .split('\n')
      .filter((line) => !line.startsWith('#'));
    expect(left).toEqual(['port 6379', 'appendonly yes']);
  });

  it('removes files of processes that were at work', async () => {
    await writeFile(join(folder, 'temp-17.rdb'), 'half');
    expect((await run(DUMP)).done).toEqual([expect.stringContaining('temp-17.rdb')]);
    expect(await readdir(folder)).not.toContain('temp-17.rdb');
  });

  it('leaves what is prepared as it is: its server may have gone on with it', async () => {
    await run(DUMP_OF_FILES);
    await writeFile(join(files, 'appendonly.aof.2.incr.aof'), 'newer');
    expect((await run(DUMP_OF_FILES)).done).toEqual([expect.stringContaining('before')]);
    expect(await readdir(files)).toContain('appendonly.aof.2.incr.aof');
  });
});
