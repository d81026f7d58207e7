import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../runner/clock';
import type { Compression } from '../../../runner/pipe/compression';
import { dump, type PipeOptions, type Sink } from '../../../runner/pipe/dump';
import type { Content } from '../../../runner/pipe/stages';
import { QuietLog } from '../../support/quiet-log';
import { groupLives, scripted } from './scripted-tool';

const CLOSING = '-- dump complete';
const GOOD = `for (let i = 0; i < 20000; i++) console.log('row ' + i); console.log('${CLOSING}')`;
const EXPECTED = Buffer.from(`${Array.from({ length: 20_000 }, (_, i) => `row ${i}\n`).join('')}${CLOSING}\n`);

const options = (more: Partial<PipeOptions> = {}): PipeOptions => ({
  clock: systemClock,
  log: new QuietLog(),
  environment: process.env,
  signal: new AbortController().signal,
  compression: 'none',
  graceMs: 100,
  ...more,
});

/** A store of one object, that keeps nothing unless its content ended: what an object store's `put` promises. */
class Kept {
  object: Buffer | undefined;
  aborted = false;
  readonly put: Sink<string> = async (content) => {
    try {
      this.object = await buffer(content as Content as AsyncIterable<Buffer>);
      return 'kept';
    } catch (thrown) {
      this.aborted = true;
      throw thrown;
    }
  };
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

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
  });
});

describe('a tool that fails fails the dump, and nothing is kept', () => {
  it.each<[what: string, script: string, code: string, message: RegExp]>([
    [
      'is killed',
      `${GOOD}; process.kill(process.pid, 'SIGKILL')`,
      'tool-failed',
      /ended with SIGKILL, and said nothing/,
    ],
    ['has no closing line', `console.log('row')`, 'tool-failed', /ended without its closing line "-- dump complete"/],
    [
      'has its closing line in a row alone',
      `console.log('${CLOSING}'); console.log('more')`,
      'tool-failed',
      /without its closing line/,
    ],
    [
      'fails after a whole output, with a password in its words',
      `${GOOD}; console.error('no route for hunter2'); process.exitCode = 1`,
      'tool-failed',
      /ended with exit code 1, and said "no route for \*\*\*"/,
    ],
  ])('%s', async (_, script, code, message) => {
    const kept = new Kept();
    const running = dump(scripted(script, { closing: CLOSING, secrets: ['hunter2'] }), kept.put, options());
    await expect(running).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    expect(kept).toMatchObject({ object: undefined, aborted: true });
  });

  it('is not there', async () => {
    const kept = new Kept();
    const command = { ...scripted(''), program: 'pg_dumpall-of-nowhere' };
    await expect(dump(command, kept.put, options())).rejects.toMatchObject({ code: 'tool-missing' });
    expect(kept).toMatchObject({ object: undefined, aborted: true });
  });

  it('fails while the sink takes nothing: the sink is told at once', async () => {
    const stuck: Sink<void> = (_, signal) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
    const script = `process.stdout.write('x'.repeat(1 << 20)); setTimeout(() => process.exit(3), 50)`;
    await expect(dump(scripted(script), stuck, options())).rejects.toMatchObject({
      code: 'tool-failed',
      message: expect.stringContaining('exit code 3'),
    });
  });

  it('complains for ever: its words are bounded, its output is whole', async () => {
    const kept = new Kept();
    const script = `const line = 'x'.repeat(1 << 16) + '\\n'; for (let i = 0; i < 200; i++) require('node:fs').writeSync(2, line); ${GOOD}`;
    await dump(scripted(script, { closing: CLOSING }), kept.put, options());
    expect(kept.object?.equals(EXPECTED)).toBe(true);
  });
});

/** A tool that says its own process id and that of a child of its own, both deaf to SIGTERM, and goes on for ever. */
const DEAF = `process.on('SIGTERM', () => {});
  const child = require('node:child_process').spawn(process.execPath, ['-e', "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); console.log('up')"], { stdio: ['ignore', 'pipe', 'inherit'] });
  child.stdout.once('data', () => { console.log(process.pid); setInterval(() => process.stdout.write('x'.repeat(1000)), 5); });`;

describe('whatever ends a dump leaves no process', () => {
  /** Takes the first line, then does as told. */
  async function pidThen(
    content: Content,
    then: () => Promise<never> | Promise<void>,
    seen: (pid: number) => void,
  ): Promise<void> {
    for await (const chunk of content) {
      seen(Number(Buffer.from(chunk).toString().split('\n')[0]));
      return await then();
    }
  }

  it('the caller, also of a tool that is deaf', async () => {
    const caller = new AbortController();
    let pid = 0;
    const running = dump(
      scripted(DEAF),
      async (content) => {
        for await (const chunk of content) {
          if (pid === 0) pid = Number(Buffer.from(chunk).toString().split('\n')[0]);
          caller.abort(new Error('the deadline'));
        }
      },
      options({ signal: caller.signal }),
    );
    await expect(running).rejects.toThrow('the deadline');
    expect(pid).toBeGreaterThan(1);
    expect(groupLives(pid)).toBe(false);
  });

  it('a sink that fails', async () => {
    let pid = 0;
    const running = dump(
      scripted(DEAF),
      (content) =>
        pidThen(
          content,
          () => Promise.reject(new Error('no room')),
          (of) => (pid = of),
        ),
      options(),
    );
    await expect(running).rejects.toThrow('no room');
    expect(pid).toBeGreaterThan(1);
    expect(groupLives(pid)).toBe(false);
  });

  it('a sink that closes early and calls it a success', async () => {
    let pid = 0;
    const running = dump(
      scripted(DEAF),
      (content) =>
        pidThen(
          content,
          () => Promise.resolve(),
          (of) => (pid = of),
        ),
      options({ compression: 'none' }),
    );
    await expect(running).rejects.toMatchObject({ code: 'stream-broken' });
    expect(pid).toBeGreaterThan(1);
    expect(groupLives(pid)).toBe(false);
  });
});
