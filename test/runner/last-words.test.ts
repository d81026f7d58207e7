import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { StillpointError } from '../../runner/errors';
import { LastLines, lastWords, leaveLastWords } from '../../runner/last-words';

const line = (fields: object): string =>
  `${JSON.stringify({ level: 'error', time: '2026-01-01T02:00:00Z', ...fields })}\n`;
const WARNING = line({ code: 'class-deletes', message: 'class x deletes' });
const FAILED = line({
  code: 'config-invalid',
  hint: 'see docs/formats',
  exitCode: 2,
  message: 'spec.volumes of /config/job.yaml is missing',
});

describe('the last words of a pod', () => {
  it.each([
    ['its one line', FAILED],
    ['the last of several', `${WARNING}${FAILED}`],
    ['not what it said on the way out', `${FAILED}${line({ message: 'lease kept' })}`],
    ['of a log that was cut off in a line', `ss":"x"}\n${FAILED}`],
  ])('are the error that it ended with: %s', (_, message) => {
    expect(lastWords(message)).toMatchObject({
      code: 'config-invalid',
      exitCode: 2,
      message: 'spec.volumes of /config/job.yaml is missing',
      hint: 'see docs/formats',
    });
    expect(lastWords(message)).toBeInstanceOf(StillpointError);
  });

  it.each([
    [
      'a crash of Node',
      'FATAL ERROR: Reached heap limit\n----- Native stack trace -----\n',
      '----- Native stack trace -----',
    ],
    [
      'an error of a version to come',
      line({ code: 'unheard-of', exitCode: 9, message: 'x' }),
      expect.stringContaining('unheard-of'),
    ],
    ['warnings alone', WARNING, expect.stringContaining('class x deletes')],
    ['nothing', '\n', undefined],
    ['nothing at all', undefined, undefined],
  ])('are the last line otherwise: %s', (_, message, expected) => {
    expect(lastWords(message)).toEqual(expected);
  });
});

describe('an error that ends a runner', () => {
  const error = new StillpointError('restore-failed', '…'.repeat(9_000), { hint: '…'.repeat(9_000) });

  const messageFile = async (): Promise<string> => {
    const folder = await mkdtemp(join(tmpdir(), 'stillpoint-words-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    return join(folder, 'termination-log');
  };

  it('lies in the termination message, in as few bytes as there is room for, and is read there', async () => {
    const file = await messageFile();
    await writeFile(file, '');
    const seen: string[] = [];
    const said = new LastLines({ write: (line: string) => seen.push(line) });
    for (const number of Array(200).keys()) said.write(`line ${number} …\n`);
    await leaveLastWords(error, said.lines, file);
    const left = await readFile(file, 'utf8');
    expect(Buffer.byteLength(left)).toBeLessThanOrEqual(4096);
    expect(lastWords(left)).toMatchObject({ code: 'restore-failed', exitCode: error.exitCode });
    // With what came right before it, whole lines.
    expect(left).toMatch(/^line \d+ …\n/);
    expect(left).toContain('line 199 …\n{');
    expect(seen.length).toBe(200);
  });

  it('leaves alone what a command has said there, and makes no such file elsewhere', async () => {
    const file = await messageFile();
    await leaveLastWords(error, [], file);
    await expect(readFile(file)).rejects.toMatchObject({ code: 'ENOENT' });
    await writeFile(file, '{"result":1}');
    await leaveLastWords(error, [], file);
    expect(await readFile(file, 'utf8')).toBe('{"result":1}');
  });
});
