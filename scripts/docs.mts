/**
 * Makes what of docs/ comes from the source: the reference of the constructs, the formats' schemas, and the tables of
 * rights, labels and errors. With --check it writes nothing, and ends with 1 when what is committed is something else.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { filesUnder, writeApi } from './docs/api.mjs';
import { formats } from './docs/formats';
import { reference } from './docs/reference';

/** The folders of docs/ that are made here, and by nothing else. */
const FOLDERS = ['api', 'formats', 'reference'] as const;

async function generate(docs: string): Promise<void> {
  await writeApi(join(docs, 'api'));
  write(join(docs, 'formats'), formats());
  write(join(docs, 'reference'), reference());
}

function write(folder: string, files: ReadonlyMap<string, string>): void {
  for (const [path, text] of files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

/** The files that differ between two folders, or are in one of them only. */
function differences(committed: string, made: string): readonly string[] {
  return FOLDERS.flatMap((folder) => {
    const [here, there] = [filesUnder(join(committed, folder)), filesUnder(join(made, folder))];
    const names = [...new Set([...here.keys(), ...there.keys()])];
    return names.filter((name) => here.get(name) !== there.get(name)).map((name) => join(committed, folder, name));
  });
}

const fresh = mkdtempSync(join(tmpdir(), 'stillpoint-docs-'));
try {
  await generate(fresh);
  if (process.argv.includes('--check')) {
    const stale = differences('docs', fresh);
    for (const file of stale) process.stderr.write(`${file} is stale\n`);
    if (stale.length > 0) process.stderr.write('run npm run docs, and commit what it changes\n');
    process.exitCode = stale.length === 0 ? 0 : 1;
  } else {
    for (const folder of FOLDERS) {
      rmSync(join('docs', folder), { recursive: true, force: true });
      write(join('docs', folder), filesUnder(join(fresh, folder)));
    }
  }
} finally {
  rmSync(fresh, { recursive: true });
}
