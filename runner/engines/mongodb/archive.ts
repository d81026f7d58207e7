/** The archive that mongodump writes to its standard output: https://github.com/mongodb/mongo-tools/blob/master/common/archive/spec.md */
import { StillpointError } from '../../errors';
import type { Content } from '../../pipe/stages';

const MAGIC = Buffer.from([0x6d, 0xe2, 0x99, 0x81]);
/** What ends the header, each piece of a collection and each collection: the last of them ends the archive. */
const TERMINATOR = Buffer.from([0xff, 0xff, 0xff, 0xff]);

/** The content as it is; throws tool-failed when it does not begin and end as an archive does. */
export async function* archiveOf(content: Content): AsyncGenerator<Uint8Array, void> {
  let head = Buffer.alloc(0);
  let tail = Buffer.alloc(0);
  for await (const chunk of content) {
    if (head.length < MAGIC.length) {
      head = Buffer.concat([head, chunk.subarray(0, MAGIC.length - head.length)]);
      if (!MAGIC.subarray(0, head.length).equals(head)) throw notWhole('does not begin as one');
    }
    tail = Buffer.concat([tail, chunk.subarray(-TERMINATOR.length)]).subarray(-TERMINATOR.length);
    yield chunk;
  }
  if (head.length < MAGIC.length || !tail.equals(TERMINATOR)) throw notWhole('has no end');
}

const notWhole = (how: string): StillpointError =>
  new StillpointError('tool-failed', `the output of mongodump is no whole archive: it ${how}`);
