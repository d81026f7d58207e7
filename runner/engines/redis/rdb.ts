/** The RDB file in what redis-cli writes to its standard output. */
import { StillpointError } from '../../errors';
import type { Content } from '../../pipe/stages';

/** What every file begins with; Valkey has a name of its own since 9. */
const MAGIC = /^(REDIS|VALKEY)/;
/** The last instruction of a file, EOF, and the checksum of all before. */
const END_BYTES = 9;
const EOF = 0xff;
/** What ends a transfer of unknown length. redis-cli cuts it off a file that it writes, and cannot do so on a pipe. */
const MARK_BYTES = 40;
const MARK = /^[0-9a-f]{40}$/;
const HELD_BYTES = END_BYTES + MARK_BYTES;

/** Gives out the file alone; throws tool-failed when it is not whole. */
export async function* rdbOf(content: Content): AsyncGenerator<Uint8Array, void> {
  let held = Buffer.alloc(0);
  let begun = false;
  for await (const chunk of content) {
    const all = Buffer.concat([held, chunk]);
    if (all.length <= HELD_BYTES) {
      held = all;
      continue;
    }
    if (!begun) checkBeginning(all);
    begun = true;
    yield all.subarray(0, -HELD_BYTES);
    // A copy: the rest of the chunk is not kept for these few bytes.
    held = Buffer.from(all.subarray(-HELD_BYTES));
  }
  if (!begun) checkBeginning(held);
  yield withoutMark(held);
}

function checkBeginning(bytes: Buffer): void {
  if (!MAGIC.test(bytes.toString('latin1', 0, 6))) throw notWhole('does not begin as one');
}

/** A mark holds no byte like EOF, so that there is one way to read an end. */
function withoutMark(end: Buffer): Buffer {
  const file = MARK.test(end.toString('latin1', Math.max(0, end.length - MARK_BYTES)))
    ? end.subarray(0, -MARK_BYTES)
    : end;
  if (file.at(-END_BYTES) !== EOF) throw notWhole('has no end');
  return file;
}

const notWhole = (how: string): StillpointError =>
  new StillpointError('tool-failed', `the output of the tool is no whole RDB file: it ${how}`);
