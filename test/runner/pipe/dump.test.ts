/** From a tool to a store: what comes there is what the tool wrote, whatever is done with it on its way, from one run or several. */
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { setImmediate } from 'node:timers/promises';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { Decrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { StillpointError } from '../../../runner/errors';
import type { Compression } from '../../../runner/pipe/compression';
import { dump, type Sink } from '../../../runner/pipe/dump';
import type { Content } from '../../../runner/pipe/stages';
import type { ToolCommand } from '../../../runner/tools/tool';
import { CLOSING, EXPECTED, GOOD, Kept, options, sha256 } from './dump-fixture';
import { groupLives, scripted } from './scripted-tool';

describe('a dump', () => {
  it.each<[Compression, (stored: Buffer) => Buffer]>([
    ['none', (stored) => stored],
    ['gzip', (stored) => gunzipSync(stored)],
    ['zstd', (stored) => zstdDecompressSync(stored)],
  ])('by %s stores what the tool wrote, with the hashes of both', async (compression, plain) => {
    const kept = new Kept();
    const passed = await dump(scripted(GOOD, { closing: CLOSING }), kept.put, options({ compression }));
    const stored = kept.object ?? Buffer.alloc(0);
    expect(plain(stored).equals(EXPECTED)).toBe(true);
    expect(passed).toEqual({
      plainBytes: EXPECTED.length,
      plainSha256: sha256(EXPECTED),
      storedBytes: stored.length,
      storedSha256: sha256(stored),
      stored: 'kept',
    });
  });

  it('of a tool that has ended before the store begins to read is as whole', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'stillpoint-early-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const pidFile = join(folder, 'pid');
    const small = `const fs = require('node:fs'); fs.writeFileSync('${pidFile}.new', String(process.pid)); fs.renameSync('${pidFile}.new', '${pidFile}'); console.log('${CLOSING}')`;
    const kept = new Kept();
    const late: Sink<string> = async (content, signal) => {
      // Reaped, and not only dead: then Node knows of its exit, and has had its turn to throw away what is left.
      await vi.waitUntil(() => existsSync(pidFile) && !existsSync(`/proc/${readFileSync(pidFile, 'utf8')}`), 50_000);
      for (let turns = 0; turns < 10; turns++) await setImmediate();
      return await kept.put(content, signal);
    };
    await dump(scripted(small, { closing: CLOSING }), late, options());
    expect(kept.object?.toString()).toBe(`${CLOSING}\n`);
  });

  it.each<[Compression, (stored: Buffer) => Buffer]>([
    ['none', (stored) => stored],
    ['zstd', (stored) => zstdDecompressSync(stored)],
  ])('by %s is encrypted last, for each of its recipients', async (compression, plain) => {
    const kept = new Kept();
    const identities = [await generateX25519Identity(), await generateX25519Identity()];
    const recipients = await Promise.all(identities.map(identityToRecipient));
    const passed = await dump(scripted(GOOD, { closing: CLOSING }), kept.put, options({ compression, recipients }));
    const stored = kept.object ?? Buffer.alloc(0);
    expect(passed).toMatchObject({
      plainSha256: sha256(EXPECTED),
      storedBytes: stored.length,
      storedSha256: sha256(stored),
    });
    for (const identity of identities) {
      const decrypter = new Decrypter();
      decrypter.addIdentity(identity);
      expect(plain(Buffer.from(await decrypter.decrypt(stored))).equals(EXPECTED)).toBe(true);
    }
  });

  it('gives a password by environment and file, takes the file away, and keeps our libraries to itself', async () => {
    const kept = new Kept();
    const script = `const fs = require('node:fs'); const [, file] = process.argv;
      console.log(JSON.stringify([file, fs.readFileSync(file, 'utf8'), fs.statSync(file).mode & 0o777,
      process.env.SECRET, process.env.LD_LIBRARY_PATH ?? null]))`;
    const command = scripted(script, {
      args: (folder) => ['-e', script, `${folder}/login`],
      env: { SECRET: 'hunter2' },
      files: { login: 'password: hunter2' },
    });
    await dump(command, kept.put, options({ environment: { ...process.env, LD_LIBRARY_PATH: '/opt/stillpoint/lib' } }));
    const [file, text, mode, secret, libraries] = JSON.parse(String(kept.object));
    expect({ text, mode, secret, libraries }).toEqual({
      text: 'password: hunter2',
      mode: 0o600,
      secret: 'hunter2',
      libraries: null,
    });
    expect(existsSync(file)).toBe(false);
    if (existsSync('/dev/shm')) expect(file).toMatch(/^\/dev\/shm\/stillpoint-/);
  });
});

describe('a dump by several runs', () => {
  const line = (text: string, more: string = ''): string =>
    `console.log('${text}'); console.log('${CLOSING}'); ${more}`;
  const closing = CLOSING;
  const chain = (next: ToolCommand): ToolCommand => scripted(line('one'), { closing, next });

  it.each<Compression>(['none', 'zstd'])('is all their outputs, in order (%s)', async (compression) => {
    const kept = new Kept();
    const passed = await dump(
      chain(scripted(line('two'), { closing, next: scripted(line('three'), { closing }) })),
      kept.put,
      options({ compression }),
    );
    const all = ['one', 'two', 'three'].map((word) => `${word}\n${CLOSING}\n`).join('');
    const stored = kept.object ?? Buffer.alloc(0);
    expect(`${compression === 'none' ? stored : zstdDecompressSync(stored)}`).toBe(all);
    expect(passed.plainSha256).toBe(sha256(Buffer.from(all)));
  });

  it.each([
    ['ends with another exit code', line('two', 'process.exitCode = 3'), 'ended with exit code 3'],
    ['is killed', line('two', "process.kill(process.pid, 'SIGKILL')"), 'ended with SIGKILL'],
    ['ends without its closing line', "console.log('two')", 'without its closing line'],
  ])('is none where the second %s', async (_, script, message) => {
    const kept = new Kept();
    const run = dump(chain(scripted(script, { closing })), kept.put, options());
    await expect(run).rejects.toMatchObject({ code: 'tool-failed', message: expect.stringContaining(message) });
    expect([kept.object, kept.aborted]).toEqual([undefined, true]);
  });

  it('starts none after one that failed', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'stillpoint-chain-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const mark = join(folder, 'mark');
    const second = scripted('process.exitCode = 1', {
      next: scripted(`require('fs').writeFileSync(${JSON.stringify(mark)}, '')`),
    });
    await expect(dump(chain(second), new Kept().put, options())).rejects.toMatchObject({ code: 'tool-failed' });
    expect(existsSync(mark)).toBe(false);
  });

  it('leaves no tool behind where the store fails in the middle of the second, and keeps what it was given', async () => {
    let group = 0;
    const endless = `console.log('pid ' + process.pid); setInterval(() => console.log('row'), 1)`;
    const failing: Sink<string> = async (content) => {
      const reader = content[Symbol.asyncIterator]();
      for (let seen = ''; group === 0; ) {
        seen += String((await reader.next()).value);
        group = Number(/pid (\d+)\n/.exec(seen)?.[1] ?? 0);
      }
      throw new StillpointError('store-refused', 'no');
    };
    await expect(dump(chain(scripted(endless)), failing, options())).rejects.toMatchObject({ code: 'store-refused' });
    expect(groupLives(group)).toBe(false);
  });
});

describe('of an output that is more than the dump', () => {
  it('stores and hashes the rest, and nothing when that is not whole', async () => {
    async function* refine(content: Content): AsyncGenerator<Uint8Array, void> {
      const all = await buffer(content as AsyncIterable<Buffer>);
      if (!all.toString().endsWith(`MARK\n`)) throw new StillpointError('tool-failed', 'no mark');
      yield all.subarray(0, -5);
    }
    const kept = new Kept();
    const passed = await dump(scripted(`console.log('rowMARK')`, { refine }), kept.put, options());
    expect(kept.object?.toString()).toBe('row');
    expect(passed).toMatchObject({ plainBytes: 3, plainSha256: sha256(Buffer.from('row')) });

    const other = new Kept();
    await expect(dump(scripted(`console.log('row')`, { refine }), other.put, options())).rejects.toThrow('no mark');
    expect(other).toMatchObject({ object: undefined, aborted: true });
  });
});
