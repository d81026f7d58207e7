/**
 * A stand-in for neo4j-admin and the server of Neo4j 5 Community, on files: the real ones run in test/e2e/neo4j-dump.test.ts. It reads what
 * runner/engines/neo4j/dump.ts writes, refuses all else, and ends and complains as 5.26 did. What it is not:
 * - a database is the file `store` in its folder, and a dump is that after the four letters of a real one: no archive, no format;
 * - `dirty` beside it makes it as a crash leaves it, `hopeless` keeps it so, `open` is a server that has it, `broken` is inconsistent;
 * - its server says "Started.", completes what is dirty when it is told to end, and does nothing else;
 * - a load writes as it reads, and fails at the end when the last letter is not the one that every store here ends with.
 */
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

const END = '\n';
const [, program, ...words] = process.argv;
const conf =
  words[0] === '--version' ? '' : readFileSync(join(process.env.NEO4J_CONF ?? '/nowhere', 'neo4j.conf'), 'utf8');
const data = /^server\.directories\.data=(.*)$/m.exec(conf)?.[1] ?? '';

function fail(message, code = 1) {
  process.stderr.write(`${message}\nRun with '--verbose' for a more detailed error message.\n`);
  process.exit(code);
}

const folderOf = (database) => join(data, 'databases', database);
const is = (database, what) => existsSync(join(folderOf(database), what));

function there(database) {
  if (!is(database, 'store'))
    fail(`Database does not exist: '${database}'. Directory '${folderOf(database)}' does not contain a database`);
  if (is(database, 'open'))
    fail(`Failed to execute command as the database '${database}' is in use. Please stop it and try again.`);
}

const commands = {
  'database info --format=json': (database) => {
    there(database);
    const dirty = is(database, 'dirty');
    const facts = {
      databaseName: database,
      inUse: 'false',
      lastCommittedTransaction: dirty ? '3' : '9',
      recoveryRequired: String(dirty),
    };
    console.log(JSON.stringify(facts));
  },
  'database dump --to-stdout': (database) => {
    there(database);
    if (is(database, 'dirty'))
      fail(
        `Failed to dump database '${database}': Active logical log detected, this might be a source of inconsistencies.`,
      );
    if (is(database, 'babbles')) process.stdout.write('Starting dump\n');
    process.stdout.write(`DZV1${readFileSync(join(folderOf(database), 'store'), 'utf8')}`);
    process.stderr.write('Files: 1/1, data: 100.0%\n');
    if (is(database, 'stops')) fail('Dump failed for databases: no space left');
  },
  'database load --from-stdin --overwrite-destination=true': (database) => {
    for (const folder of ['databases', 'transactions']) mkdirSync(join(data, folder, database), { recursive: true });
    const store = join(folderOf(database), 'store');
    writeFileSync(store, '');
    let head = '';
    process.stdin.on('data', (chunk) => {
      const text = head.length < 4 ? chunk.toString().slice(4 - head.length) : chunk.toString();
      head += chunk.toString().slice(0, 4 - Math.min(4, head.length));
      appendFileSync(store, text);
    });
    process.stdin.on('end', () => {
      if (head !== 'DZV1' || !readFileSync(store, 'utf8').endsWith(END))
        fail(`Failed to load database '${database}': Truncated source`);
    });
  },
  [`database check --report-path=${join(process.env.NEO4J_CONF ?? '', 'logs')} --max-off-heap-memory=30%`]: (
    database,
  ) => {
    there(database);
    if (is(database, 'broken')) fail('Inconsistencies found: 1');
  },
};

if (basename(program) === 'neo4j') {
  if (words.join(' ') !== 'console') fail('Unmatched arguments', 64);
  for (const [setting, value] of [
    ['server.bolt.enabled', 'false'],
    ['server.http.enabled', 'false'],
    ['server.default_listen_address', '127.0.0.1'],
  ]) {
    if (!conf.includes(`${setting}=${value}\n`)) fail(`it would be reached: ${setting}`);
  }
  process.on('SIGTERM', () => {
    for (const name of readdirSync(join(data, 'databases')))
      if (!is(name, 'hopeless')) rmSync(join(folderOf(name), 'dirty'), { force: true });
    process.exit(0);
  });
  if (readdirSync(join(data, 'databases')).some((name) => is(name, 'refuses'))) fail('Failed to start Neo4j on file');
  setInterval(() => undefined, 60_000);
  process.stdout.write('2026-11-26 18:40:58.057+0000 INFO  Start');
  process.stdout.write('ed.\n');
} else if (words.join(' ') === '--version') {
  console.log('5.26.30');
} else {
  const command = commands[words.slice(0, -1).join(' ')];
  if (command === undefined) fail(`Unmatched arguments: ${words.join(' ')}`, 64);
  command(words.at(-1));
}
