#!/usr/bin/env node
/**
 * A stand-in for pg_dumpall: writes as many bytes of rows as STILLPOINT_BENCH_BYTES says, as fast as they are taken, and the
 * closing line. The rows are made once and repeated: further apart than zstd looks back by default, so that nothing is
 * saved by that.
 */
import { createHash } from 'node:crypto';
import { writeSync } from 'node:fs';

const BLOCK_BYTES = 16 * 1024 ** 2;

if (process.argv.includes('--version')) {
  process.stdout.write('pg_dumpall (PostgreSQL) 18.4\n');
} else {
  const block = rows();
  for (let left = Number(process.env.STILLPOINT_BENCH_BYTES); left > 0; left -= block.length) {
    write(block.subarray(0, Math.min(block.length, left)));
  }
  write(Buffer.from('\n--\n-- PostgreSQL database cluster dump complete\n--\n\n'));
}

/** Numbers, times, words and hashes, as rows of COPY have them. */
function rows() {
  const lines = [];
  for (let bytes = 0, n = 0; bytes < BLOCK_BYTES; n++) {
    const hash = createHash('md5').update(String(n)).digest('hex');
    const line = `${n}\t2026-01-01 00:${n % 60}:00+00\tcustomer ${n % 977}\t${hash}\tshipped to the warehouse\t${n * 17}.50\n`;
    lines.push(line);
    bytes += line.length;
  }
  return Buffer.from(lines.join('')).subarray(0, BLOCK_BYTES);
}

function write(bytes) {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(1, bytes, at);
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
    }
  }
}
