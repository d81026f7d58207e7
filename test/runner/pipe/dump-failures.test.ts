/** From a tool to a store when one of them fails, or who asked for it gives up: nothing is kept, and no process is left. */
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { StillpointError } from '../../../runner/errors';
import { dump, type Sink } from '../../../runner/pipe/dump';
import type { Content } from '../../../runner/pipe/stages';
import { CLOSING, EXPECTED, GOOD, Kept, options } from './dump-fixture';
import { groupLives, scripted } from './scripted-tool';

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

// A killed process closes its files, which is what we hear of, a moment before the kernel counts it as dead: hence the polls.
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
    await expect.poll(() => groupLives(pid)).toBe(false);
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
    await expect.poll(() => groupLives(pid)).toBe(false);
  });

  it('a sink that takes no more, and says why when the tool has already failed for it', async () => {
    let pid = 0;
    const slow: Sink<never> = async (content) => {
      await pidThen(
        content,
        () => Promise.resolve(),
        (of) => (pid = of),
      );
      await expect.poll(() => groupLives(pid)).toBe(false);
      // The runner has heard of it, too.
      for (let turns = 0; turns < 10; turns++) await setImmediate();
      throw new StillpointError('store-unreachable', 'the store is gone');
    };
    const script = `console.log(process.pid); setInterval(() => process.stdout.write('x'.repeat(100_000)), 5);`;
    for (const compression of ['none', 'zstd'] as const) {
      await expect(dump(scripted(script), slow, options({ compression }))).rejects.toMatchObject({
        code: 'store-unreachable',
      });
    }
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
    await expect.poll(() => groupLives(pid)).toBe(false);
  });
});
