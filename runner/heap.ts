/** How a process that reads much and keeps little of it stays small. */
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** What may be thrown away, and not yet collected. */
const GARBAGE_BYTES = 24 * 1024 * 1024;
/** Where that much is in use, collecting for less would be all that it does. */
const LEAST_BYTES = 8 * 1024 * 1024;

/**
 * Keeps the heap from growing with what is read. Left alone, V8 collects when it seems worth the time: a list of ten thousand
 * records took twice the memory of one of a thousand, and kept none of it. To be called whenever some of it is done with.
 */
export function smallHeap(): () => void {
  // The young space stays as it begins: what it would grow by is never given back.
  setFlagsFromString('--semi-space-growth-factor=1');
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  let limit = heapBytes() + GARBAGE_BYTES;
  return () => {
    if (heapBytes() <= limit) return;
    collect();
    limit = Math.max(limit, heapBytes() + LEAST_BYTES);
  };
}

function heapBytes(): number {
  return getHeapStatistics().total_heap_size;
}
