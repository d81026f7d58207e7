/** What tests of a tool's way to a store run with: an output that is known, and a store of one object. */
import { createHash } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { systemClock } from '../../../runner/clock';
import type { DumpOptions, Sink } from '../../../runner/pipe/dump';
import type { Content } from '../../../runner/pipe/stages';
import { QuietLog } from '../../support/quiet-log';

export const CLOSING = '-- dump complete';
export const GOOD = `for (let i = 0; i < 20000; i++) console.log('row ' + i); console.log('${CLOSING}')`;
export const EXPECTED = Buffer.from(`${Array.from({ length: 20_000 }, (_, i) => `row ${i}\n`).join('')}${CLOSING}\n`);

export const options = (more: Partial<DumpOptions> = {}): DumpOptions => ({
  clock: systemClock,
  log: new QuietLog(),
  environment: process.env,
  signal: new AbortController().signal,
  compression: 'none',
  graceMs: 100,
  ...more,
});

/** A store of one object, that keeps nothing unless its content ended: what an object store's `put` promises. */
export class Kept {
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

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
