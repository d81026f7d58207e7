import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import type { Target } from '../../../../runner/engine';
import { dump } from '../../../../runner/engines/redis/dump';
import { rdbOf } from '../../../../runner/engines/redis/rdb';

const target = (more: Partial<Target> = {}): Target => ({
  connection: { host: 'cache', port: 6379 } as Target['connection'],
  username: '',
  password: 'hunter2',
  tls: undefined,
  ...more,
});

describe('redis-cli and valkey-cli', () => {
  it.each<[what: string, to: Target, flavour: string | undefined, program: string, args: readonly string[]]>([
    ['a password', target(), undefined, 'redis-cli', ['-h', 'cache', '-p', '6379']],
    [
      'a user',
      target({ username: 'backup' }),
      'valkey',
      'valkey-cli',
      ['-h', 'cache', '-p', '6379', '--user', 'backup'],
    ],
    ['no login', target({ username: 'x', password: undefined }), 'redis', 'redis-cli', ['-h', 'cache', '-p', '6379']],
    [
      'TLS',
      target({ tls: { mode: 'verify-full', ca: 'CA', cert: 'CERT', key: 'KEY' } }),
      'redis',
      'redis-cli',
      [
        ...['-h', 'cache', '-p', '6379', '--tls', '--sni', 'cache'],
        ...['--cacert', '/f/ca.crt', '--cert', '/f/client.crt', '--key', '/f/client.key'],
      ],
    ],
    [
      'TLS unchecked',
      target({ connection: { host: '10.1.2.3', port: 1 } as Target['connection'], tls: { mode: 'require' } }),
      'redis',
      'redis-cli',
      ['-h', '10.1.2.3', '-p', '1', '--tls', '--insecure'],
    ],
    ['TLS disabled', target({ tls: { mode: 'disable' } }), 'redis', 'redis-cli', ['-h', 'cache', '-p', '6379']],
    [
      'a socket',
      target({ connection: { host: '/run/redis.sock', port: 1 } as Target['connection'], tls: { mode: 'require' } }),
      'redis',
      'redis-cli',
      ['-s', '/run/redis.sock'],
    ],
  ])('%s', (_, to, flavour, program, args) => {
    const command = dump.dump(to, { flavour });
    expect([command.program, command.args('/f')]).toEqual([program, [...args, '--rdb', '-']]);
    expect(JSON.stringify(command.args('/f'))).not.toContain('hunter2');
    expect(command.env).toEqual(
      to.password === undefined ? {} : { REDISCLI_AUTH: 'hunter2', VALKEYCLI_AUTH: 'hunter2' },
    );
  });

  it.each<[tool: string, unfit: string | undefined]>([
    ['redis-cli 8.0.2', undefined],
    ['valkey-cli 8.1.1', undefined],
    ['redis-cli 6.0.16', undefined],
    ['redis-cli 6.2.4', 'the tool is of 6.2.4, which fails when it writes to a pipe: 6.2.5 does not'],
    ['redis-cli 6.2.5', undefined],
    ['sh: not found', '"sh: not found" is not what redis-cli or valkey-cli says of itself'],
  ])('%s', (tool, unfit) => {
    expect(dump.unfit(tool, { version: '8.0.2' })).toBe(unfit);
  });
});

const END = Buffer.from([0xff, 1, 2, 3, 4, 5, 6, 7, 8]);
const MARK = Buffer.from('11ec05cbd970acc5c981aefa6f8a6d869410b5d8');
/** Keys that look like a mark themselves. */
const FILE = Buffer.concat([Buffer.from('REDIS0012'), MARK, Buffer.alloc(5000, 7), MARK, END]);

async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

describe('the RDB file in the output', () => {
  const read = (bytes: Buffer, size: number): Promise<Buffer> => buffer(rdbOf(inPieces(bytes, size)));

  it.each<[what: string, output: Buffer, file: Buffer]>([
    ['of known length', FILE, FILE],
    ['with the mark of its end', Buffer.concat([FILE, MARK]), FILE],
    [
      'of Valkey 9',
      Buffer.concat([Buffer.from('VALKEY080'), END, MARK]),
      Buffer.concat([Buffer.from('VALKEY080'), END]),
    ],
    ['without a key', Buffer.concat([Buffer.from('REDIS0012'), END]), Buffer.concat([Buffer.from('REDIS0012'), END])],
    [
      'whose checksum reads as a mark',
      Buffer.concat([Buffer.from('REDIS0012'), MARK, Buffer.from([0xff]), Buffer.from('01234567')]),
      Buffer.concat([Buffer.from('REDIS0012'), MARK, Buffer.from([0xff]), Buffer.from('01234567')]),
    ],
  ])('%s', async (_, output, file) => {
    for (const size of [1, 7, 49, 50, 10_000]) expect((await read(output, size)).equals(file)).toBe(true);
  });

  it.each<[what: string, output: Buffer]>([
    ['nothing', Buffer.alloc(0)],
    ['something else', Buffer.concat([Buffer.from('ERR nope'), Buffer.alloc(100), END])],
    ['a cut file', FILE.subarray(0, -1)],
    ['a file cut at its end', FILE.subarray(0, -9)],
    ['a cut mark', Buffer.concat([FILE, MARK]).subarray(0, -1)],
    ['more than a mark', Buffer.concat([FILE, MARK, MARK])],
  ])('is none: %s', async (_, output) => {
    for (const size of [1, 50, 10_000]) {
      await expect(read(output, size)).rejects.toMatchObject({
        code: 'tool-failed',
        message: expect.stringContaining('no whole RDB file'),
      });
    }
  });
});
