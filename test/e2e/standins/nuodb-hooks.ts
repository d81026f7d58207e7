/**
 * A stand-in for the backup hooks that NuoDB's Helm chart puts beside a storage manager, in their modes fsfreeze and suspend: a
 * program of its own in a container that shares volumes and processes with the engine's (nuodb-engine.ts). What it does is done for
 * real: the archive's file system is frozen by fsfreeze, the engine's process is stopped by a signal, every thread of it.
 * [doc: nuodb/nuodb-helm-charts, files/backup_hooks.py, and nuodb-sidecar after it: the order of the steps, files, answers]
 *
 *   POST /pre-backup/<id>   {"timeout": 30}, whole seconds; without one FREEZE_TIMEOUT
 *   POST /post-backup/<id>  ?force=true ends a backup of another id
 *   GET /state              its own: {"frozen", "backup", "archive", "journal"}, which asks the engine for nothing
 *
 * As there, one request is served after the other; what is frozen stays so when this program dies, and its files show which backup it
 * was; a backup whose time is over is ended by its id.
 *
 * What differs: told to stop, it lets go, so that a test that fails leaves no file system frozen on the cluster; an engine is known by
 * its command line as here, and a start of it by the time of that; no custom handlers.
 */
import { execFile } from 'node:child_process';
import { closeSync, existsSync, fsyncSync, openSync, readdirSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';

const { NUODB_ARCHIVE_DIR: ARCHIVE = '', NUODB_JOURNAL_DIR: JOURNAL = '', FREEZE_MODE: MODE = '' } = process.env;
/** Where the engine says how far it is, and by which it is told from others. */
const STATUS = process.env.STATUS_FILE ?? '';
const FREEZE_TIMEOUT = process.env.FREEZE_TIMEOUT ?? '30';
const [ID, ID_OF_JOURNAL, START] = [`${ARCHIVE}/backup.txt`, `${JOURNAL}/backup.txt`, `${ARCHIVE}/backup_sid.txt`];

/** What the caller did wrong. */
class Refusal extends Error {}

interface Process {
  readonly pid: number;
  /** Which start of it this is. */
  readonly start: string;
}

const readIf = (path: string): string | undefined => (existsSync(path) ? readFileSync(path, 'utf8').trim() : undefined);

function writeDurably(path: string, content: string): void {
  const file = openSync(path, 'w');
  writeSync(file, content);
  fsyncSync(file);
  closeSync(file);
}

/** The engine's processes: there is one, unless it is just being started anew. */
function engines(): readonly Process[] {
  return readdirSync('/proc').flatMap((name): Process[] => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const [, program, status] = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0');
      if (program?.includes('nuodb-engine') !== true || status !== STATUS) return [];
      const [, fields = ''] = readFileSync(`/proc/${name}/stat`, 'utf8').split(') ');
      return [{ pid: Number(name), start: `${name}-${fields.split(' ')[19]}` }];
    } catch {
      // It has ended meanwhile.
      return [];
    }
  });
}

function isStopped({ pid }: Process): boolean {
  const threads = readdirSync(`/proc/${pid}/task`);
  return threads.every((thread) => /^State:\tT/m.test(readFileSync(`/proc/${pid}/task/${thread}/status`, 'utf8')));
}

async function suspend(one: Process): Promise<void> {
  process.kill(one.pid, 'SIGSTOP');
  for (let tries = 1; tries <= 16; tries++) {
    if (isStopped(one)) return;
    await pause(250);
  }
  throw new Error(`Process ${one.pid} not suspended after 4.0 seconds`);
}

function fsfreeze(action: '--freeze' | '--unfreeze'): Promise<void> {
  return new Promise((resolve, reject) => {
    execFile('fsfreeze', [action, ARCHIVE], (error) => {
      const status = `Command '['fsfreeze', '${action}', '${ARCHIVE}']' returned non-zero exit status ${error?.code}.`;
      if (error === null) resolve();
      else reject(new Error(status));
    });
  });
}

async function freeze(processes: readonly Process[]): Promise<void> {
  if (MODE === 'fsfreeze') await fsfreeze('--freeze');
  else for (const one of processes) await suspend(one);
}

async function unfreeze(processes: readonly Process[]): Promise<void> {
  if (MODE === 'fsfreeze') await fsfreeze('--unfreeze');
  else for (const { pid } of processes) process.kill(pid, 'SIGCONT');
}

function processesOrThrow(): readonly [Process, ...Process[]] {
  const [first, ...others] = engines();
  if (first === undefined) throw new Error('No nuodb process found');
  return [first, ...others];
}

async function preBackup(id: string, body: string): Promise<void> {
  const processes = processesOrThrow();
  if (existsSync(ID)) {
    const stored = readIf(START);
    // A file system stays frozen whoever is started anew.
    if (MODE === 'fsfreeze' || stored === undefined || stored === processes[0].start) {
      throw new Refusal(`Backup ID file ${ID} exists. Execute post-backup hook to complete current backup.`);
    }
    removeFiles();
  }
  const seconds = secondsIn(body);
  writeDurably(START, processes[0].start);
  writeDurably(ID, id);
  writeDurably(ID_OF_JOURNAL, id);
  await freeze(processes);
  if (seconds <= 0) return;
  setTimeout(() => {
    inTurn(async () => {
      if (readIf(ID) === id) await postBackup(id, false);
    }).catch((error: Error) => process.stderr.write(`${error.message}\n`));
  }, seconds * 1000);
}

/** As Python reads a whole number of what JSON has there. */
function secondsIn(body: string): number {
  const { timeout } = (body === '' ? {} : JSON.parse(body)) as { timeout?: unknown };
  const asked = timeout ?? FREEZE_TIMEOUT;
  if (typeof asked === 'number') return Math.trunc(asked);
  if (typeof asked === 'string' && /^\s*-?\d+\s*$/.test(asked)) return Number(asked);
  throw new Refusal('Invalid request timeout');
}

async function postBackup(id: string, force: boolean): Promise<void> {
  const current = readIf(ID) ?? 'None';
  if (current !== id && !force) throw new Refusal(`Unexpected backup ID: current=${current}, supplied=${id}`);
  await unfreeze(processesOrThrow());
  removeFiles();
}

function removeFiles(): void {
  for (const path of [ID, ID_OF_JOURNAL, START]) rmSync(path, { force: true });
}

let last: Promise<unknown> = Promise.resolve();
function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const turn = last.then(work);
  last = turn.catch(() => undefined);
  return turn;
}

/** Atoms that an engine at work may be behind with its archive. */
const BEHIND = 3;

function state(): object {
  const [archive = Number.NaN, journal = Number.NaN] = (readIf(STATUS) ?? '').split(' ').map(Number);
  const backup = readIf(ID) ?? '';
  // What was done to a file system is seen of an archive that falls behind.
  const frozen =
    MODE === 'fsfreeze' ? archive < journal - BEHIND || backup !== '' : engines().some((one) => isStopped(one));
  return { frozen, backup, archive, journal };
}

async function serve(method: string, url: URL, body: string): Promise<void> {
  const [, what = '', id = '', ...more] = url.pathname.split('/');
  if (method !== 'POST' || !/^(pre|post)-backup$/.test(what) || more.length > 0) {
    throw new Refusal(`No handler found for path ${url.pathname}`);
  }
  if (id === '') throw new Refusal('Backup ID not specified');
  if (what === 'pre-backup') await preBackup(id, body);
  else await postBackup(id, url.searchParams.get('force') === 'true');
}

const server = createServer(async (request, response) => {
  const url = new URL(request.url ?? '/', 'http://hooks');
  const say = (status: number, answer: object): void => {
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(`${JSON.stringify(answer)}\n`);
  };
  if (url.pathname === '/state') return say(200, state());
  const body = await text(request);
  await inTurn(() => serve(request.method ?? '', url, body)).then(
    () => say(200, { success: true }),
    (error: Error) => say(error instanceof Refusal ? 400 : 500, { success: false, message: error.message }),
  );
});
// Who asks for whatever port is told which.
server.listen(Number(process.env.PORT ?? '8000'), () => process.stdout.write(`${JSON.stringify(server.address())}\n`));

process.once('SIGTERM', () => {
  const over = (): never => process.exit(0);
  if (existsSync(ID)) unfreeze(engines()).then(over, over);
  else over();
});
