import { describe, expect, it } from 'vitest';
import { StillpointError } from '../../runner/errors';
import { lastWords } from '../../runner/last-words';

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
