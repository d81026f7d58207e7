import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../../runner/clock';
import type { Target } from '../../../../runner/engine';
import { archiveOf } from '../../../../runner/engines/mongodb/archive';
import { dump as tools } from '../../../../runner/engines/mongodb/dump';
import { dump } from '../../../../runner/pipe/dump';
import type { DumpRequest, RestoreRequest } from '../../../../runner/tools/tool';
import { QuietLog } from '../../../support/quiet-log';
import { type Answers, startWireServer } from '../../../wire/server';
import { scripted } from '../../pipe/scripted-tool';

const target = (more: Partial<Target> = {}): Target => ({
  connection: { host: 'docs-0.docs', port: 27017 } as Target['connection'],
  username: 'backup',
  password: 'hunter2',
  tls: undefined,
  ...more,
});

const ADDRESS = ['--host=docs-0.docs', '--port=27017'];
const LOGIN = ['--config=/f/login.yaml', ...ADDRESS, '--username=backup', '--authenticationDatabase=admin'];

describe('mongodump and mongorestore, by their documentation', () => {
  it.each<[what: DumpRequest, args: readonly string[]]>([
    [{}, ['--archive']],
    [{ position: true }, ['--archive', '--oplog']],
    [{ database: 'shop' }, ['--archive', '--db=shop']],
    [{ database: 'shop', position: true }, ['--archive', '--db=shop']],
  ])('dump %j', (what, args) => {
    const command = tools.dump(target(), what);
    expect([command.program, command.args('/f')]).toEqual(['mongodump', [...LOGIN, ...args]]);
    expect(command.files).toEqual({ 'login.yaml': 'password: "hunter2"\n' });
    expect(JSON.stringify(command.args('/f'))).not.toContain('hunter2');
  });

  it.each<[what: RestoreRequest, args: readonly string[]]>([
    [{}, []],
    [{ position: true }, ['--oplogReplay']],
    [{ database: 'copy' }, ['--nsFrom=$db$.$collection$', '--nsTo=copy.$collection$']],
    [{ outOf: 'shop', position: true }, ['--nsInclude=shop.*']],
    [{ outOf: 'a*$b', database: 'copy' }, ['--nsInclude=a\\*\\$b.*', '--nsFrom=a\\*\\$b.*', '--nsTo=copy.*']],
  ])('restore %j', (what, args) => {
    const command = tools.restore?.(target(), what);
    expect([command?.program, command?.args('/f')]).toEqual([
      'mongorestore',
      [...LOGIN, '--archive', '--stopOnError', ...args],
    ]);
  });

  it.each<[what: string, more: Partial<Target>, args: readonly string[]]>([
    ['nobody', { username: '', password: undefined }, ADDRESS],
    [
      'users of another database',
      { connection: { host: 'docs-0.docs', port: 27017, database: 'shop' } as Target['connection'] },
      [...LOGIN.slice(0, -1), '--authenticationDatabase=shop'],
    ],
    ['TLS', { tls: { mode: 'verify-full', ca: 'CA' } }, [...LOGIN, '--ssl', '--sslCAFile=/f/ca.crt']],
    [
      'TLS with a certificate of its own',
      { tls: { mode: 'require', cert: 'CERT', key: 'KEY' } },
      [...LOGIN, '--ssl', '--tlsInsecure', '--sslPEMKeyFile=/f/client.pem'],
    ],
  ])('as %s', (_, more, args) => {
    const command = tools.dump(target(more), {});
    expect(command.args('/f')).toEqual([...args, '--archive']);
    if (more.tls?.cert !== undefined) expect(command.files['client.pem']).toBe('CERT\nKEY\n');
  });

  it.each<[tool: string, unfit: string | undefined]>([
    ['mongodump version: 100.9.4\ngit version: x', undefined],
    ['mongodump version: r4.2.24\ngit version: x', 'the tool is of r4.2.24: the Database Tools 100 are needed'],
    ['sh', '"sh" is not what mongodump says of itself'],
  ])('%s', (tool, unfit) => {
    expect(tools.unfit(tool, { version: '8.0.0' })).toBe(unfit);
  });
});

describe('a server that the tool would take for all', () => {
  const of = (hello: object, sharding?: object): Answers => ({
    hello: () => hello,
    serverStatus: () => (sharding === undefined ? {} : { sharding }),
  });

  it.each<[what: string, answers: Answers, part: string | undefined]>([
    ['a mongos', of({ msg: 'isdbgrid' }), 'a mongos'],
    [
      'a config server',
      of({ setName: 'cfg', configsvr: 2 }, { configsvrConnectionString: 'cfg/cfg-0:27019' }),
      'a configsvr',
    ],
    ['a shard', of({ setName: 'a' }, { configsvrConnectionString: 'cfg/cfg-0:27019' }), 'a shardsvr'],
    ['a member of a set', of({ setName: 'rs0' }), undefined],
    ['a server of no set', of({}), undefined],
  ])('%s', async (_, answers, part) => {
    await using server = await startWireServer(answers);
    const connection = { host: '127.0.0.1', port: server.port, usernameFile: '', connectTimeoutSeconds: 60 };
    const found = tools.partOf?.(
      target({ connection, username: '', password: undefined }),
      new AbortController().signal,
    );
    if (part === undefined) expect(await found).toBeUndefined();
    else expect(await found).toContain(`the server is ${part}`);
  });
});

const ARCHIVE = Buffer.concat([
  Buffer.from([0x6d, 0xe2, 0x99, 0x81]),
  Buffer.alloc(1000, 'x'),
  Buffer.from([0xff, 0xff, 0xff, 0xff]),
]);

describe('an archive', () => {
  async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Uint8Array, void> {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  }
  const read = (bytes: Buffer, size: number): Promise<Buffer> => buffer(archiveOf(inPieces(bytes, size)));

  it('goes by as it is', async () => {
    for (const size of [1, 3, 5000]) expect((await read(ARCHIVE, size)).equals(ARCHIVE)).toBe(true);
  });

  it.each<[what: string, bytes: Buffer]>([
    ['nothing', Buffer.alloc(0)],
    ['its beginning', ARCHIVE.subarray(0, 3)],
    ['cut short', ARCHIVE.subarray(0, -1)],
    ['something else', Buffer.concat([Buffer.from('Failed: nothing here'), Buffer.alloc(4, 0xff)])],
  ])('is none: %s', async (_, bytes) => {
    for (const size of [1, 3, 5000]) await expect(read(bytes, size)).rejects.toMatchObject({ code: 'tool-failed' });
  });

  it('is taken from a stand-in for mongodump, which is given the password by its file', async () => {
    const command = tools.dump(target({ password: 'p"a: #ss\\' }), {});
    const script = `const fs = require('node:fs'); const config = process.argv.find((arg) => arg.startsWith('--config='));
      if (fs.readFileSync(config.slice(9), 'utf8') !== ${JSON.stringify('password: "p\\"a: #ss\\\\"\n')}) process.exit(1);
      process.stdout.write(Buffer.from('${ARCHIVE.toString('hex')}', 'hex'))`;
    const standIn = {
      ...command,
      ...scripted(script, { args: (folder) => ['-e', script, '--', ...command.args(folder)] }),
      files: command.files,
      refine: command.refine,
    };
    const passed = await dump(standIn, (content) => buffer(content as AsyncIterable<Buffer>), {
      clock: systemClock,
      log: new QuietLog(),
      environment: process.env,
      signal: new AbortController().signal,
      compression: 'none',
    });
    expect(passed.stored.equals(ARCHIVE)).toBe(true);
  });
});
