/** The dump in what neo4j-admin writes to its standard output. It has no last line, but a first word. */
import { StillpointError } from '../../errors';
import type { Content } from '../../pipe/stages';

/** How a dump begins, whether it was compressed by zstd or by gzip. [tried: 5.26] */
const HEADS = ['DZV1', 'DGV1'];
const HEAD_BYTES = 4;

/**
 * Gives out what it is given; throws tool-failed when that does not begin as a dump. Versions before 5.19 mixed words of their own with
 * it when they were told to be verbose, and a load takes no such file. [https://github.com/neo4j/neo4j/issues/13397]
 */
export async function* dumpOf(content: Content): AsyncGenerator<Uint8Array, void> {
  let held: Buffer = Buffer.alloc(0);
  let begun = false;
  for await (const chunk of content) {
    if (begun) {
      yield chunk;
      continue;
    }
    held = Buffer.concat([held, chunk]);
    if (held.length < HEAD_BYTES) continue;
    checkHead(held);
    begun = true;
    yield held;
  }
  if (!begun) checkHead(held);
}

function checkHead(bytes: Buffer): void {
  const head = bytes.toString('latin1', 0, HEAD_BYTES);
  if (HEADS.includes(head)) return;
  throw new StillpointError(
    'tool-failed',
    `the output of neo4j-admin is no dump: it begins with ${JSON.stringify(head)}, and a dump with ${HEADS.join(' or ')}`,
  );
}
