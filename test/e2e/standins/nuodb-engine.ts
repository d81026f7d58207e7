/**
 * A stand-in for the process of a storage manager of NuoDB, for tests of what its backup hooks do to it (nuodb-hooks.ts): a program
 * of its own in a container, since what is frozen and suspended has to be real. It holds no database.
 *
 * Four times a second it commits an atom, a numbered line: to journal.log in the folder of the journal, on the device before it
 * counts, and to atoms.log in the folder of the archive after that, without the next atom waiting for it. Where the archive takes
 * no writes, the journal goes on. The files are those of the image nuodb-standin, which starts on copies of them, and refuses an
 * archive that holds what the journal does not know.
 *
 * What differs from the real engine: nothing is cached but atoms, and its journal is never recycled.
 */
import { fdatasync, ftruncateSync, openSync, readFileSync, write, writeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';

const EVERY_MS = 250;

const put = promisify(write);
const sync = promisify(fdatasync);

/** One of its two files: what is whole in it, and what was begun is cut off. */
function open(path: string): { readonly file: number; readonly lines: readonly string[] } {
  const file = openSync(path, 'a+');
  const text = readFileSync(file, 'utf8');
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  ftruncateSync(file, Buffer.byteLength(whole));
  return { file, lines: whole.split(/(?<=\n)/).filter((line) => line !== '') };
}

const journal = open(`${process.env.NUODB_JOURNAL_DIR}/journal.log`);
const archive = open(`${process.env.NUODB_ARCHIVE_DIR}/atoms.log`);
let inJournal = journal.lines.length;
let inArchive = archive.lines.length;
if (inArchive > inJournal) {
  throw new Error(`the archive holds atom ${inArchive}, the journal ends at ${inJournal}: they are not of one moment`);
}
const waiting = journal.lines.slice(inArchive);
let flushing = false;

/** Where both stand, for the hooks, in memory that they share: a process that is stopped answers nobody. */
const status = openSync(process.argv[2] ?? '', 'w');
function publish(): void {
  writeSync(status, `${inArchive} ${inJournal}`.padEnd(40), 0);
}

async function flush(): Promise<void> {
  if (flushing) return;
  flushing = true;
  while (waiting.length > 0) {
    const lines = waiting.splice(0);
    await put(archive.file, lines.join(''));
    await sync(archive.file);
    inArchive += lines.length;
    publish();
  }
  flushing = false;
}

for (;;) {
  const line = `${inJournal + 1} ${new Date().toISOString()} ${'x'.repeat(200)}\n`;
  await put(journal.file, line);
  await sync(journal.file);
  inJournal++;
  waiting.push(line);
  publish();
  flush().catch((error: Error) => {
    throw error;
  });
  await pause(EVERY_MS);
}
