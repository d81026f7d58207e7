/**
 * A stand-in for neo4j-admin of the Enterprise edition, which was not to be had. It follows the Operations Manual of 2025.09, with what that, those
 * of 5 and the release notes say of since when there is something: `OPTIONS` and `CHANGES` below have it by version. It reads the options that
 * runner/engines/neo4j/enterprise writes and refuses all others. What it is not:
 * - a "server" is a folder beside the backups, `STANDIN_SERVER`, with one JSON file a database: `{"id": …, "highest": …}`; `--from` is
 *   believed unless it says `nobody:6362`. Where there is no such folder, the file is fetched by HTTP from the first of `--from` that answers:
 *   test/e2e/standins/neo4j speaks no more than that in place of the backup protocol;
 * - a backup file is JSON of its header, and holds no store and no transactions; `check` says that a file, or a restored store, is broken when
 *   its header says `"broken": true`, and looks at no chain;
 * - a restored store is the header of the last file, and a dump is the restored store: what is in none of them no restore can lose;
 *   `--restore-until` knows transactions alone, and refuses a chain of one file as the real one does;
 * - the script of users and roles is what the server's JSON has under `metadata`;
 * - its table has the columns of the documentation, and no others; times are counted, not taken; what it says of a store's id is no hash;
 * - it says that it is of 2025.10.0, whatever `STANDIN_VERSION` does not say otherwise; of versions between those of the manuals it knows no more than they say;
 * - where the manual of 2025 calls `database aggregate-backup` deprecated, it has it no more;
 * - `STANDIN_AGGREGATE=fails` makes an aggregation end with 1, `=broken` makes a file that its check finds broken, `=short` one that lacks the last
 *   transaction, `=in-place` one by the name of the chain's last, written through into that file, and `=in-place-broken` a broken one there;
 * - how the real one words that it takes no chain is not known, nor whether it looks through a folder of several files for one that it can take;
 * - `STANDIN_FAIL=<database>` makes the backup of that one end with 1 and a file all the same, as problems beside a success do; `STANDIN_FAIL_FULL`
 *   only where all of it was asked for.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const [group, verb, ...rest] = process.argv.slice(2);
if (group === '--version') {
  console.log(process.env.STANDIN_VERSION ?? '2025.10.0');
  process.exit(0);
}
const version = (process.env.STANDIN_VERSION ?? '2025.10.0').split('.').map(Number);
const since = (major, minor) => version[0] > major || (version[0] === major && version[1] >= minor);

/** What of its behaviour changed, by the release notes. */
const CHANGES = {
  /** `backup inspect` shows the metadata always, and does not take the word for it any more. */
  metadataAlways: since(2025, 7),
  /** The table says of which store a file is, and whether it is recovered. */
  recoveredShown: since(2025, 6),
  /** `database check` takes a database, a dump or a full backup that is recovered: no chain. */
  checksFullAlone: since(2025, 9),
};

const temp = since(5, 24) ? ['temp-path'] : [];
const OPTIONS = {
  'database backup': ['from', 'to-path', 'type', 'include-metadata', ...temp, 'inspect-path'],
  'database check': ['from-path', 'temp-path', 'report-path', 'max-off-heap-memory'],
  'database restore': ['from-path', ...temp, 'restore-until', 'overwrite-destination'],
  'database info': ['format'],
  'database dump': ['to-path'],
  [since(2025, 1) ? 'backup aggregate' : 'database aggregate-backup']: ['from-path', ...temp, 'keep-old-backup'],
  ...(since(5, 25) ? { 'backup inspect': [...(CHANGES.metadataAlways ? [] : ['show-metadata']), 'empty'] } : {}),
};
const known = OPTIONS[`${group} ${verb}`];
if (known === undefined) fail(`Unmatched arguments: ${group} ${verb}`, 64);
const options = Object.fromEntries(
  rest.filter((word) => word.startsWith('--')).map((word) => /^--([^=]+)=?(.*)$/.exec(word).slice(1)),
);
const [word] = rest.filter((each) => !each.startsWith('--'));
for (const name of Object.keys(options)) if (!known.includes(name)) fail(`Unknown option: --${name}`, 64);

function fail(message, code = 1) {
  console.error(message);
  process.exit(code);
}

function headers(folder) {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.backup'))
    .sort()
    .reverse()
    .map((name) => ({ file: join(folder, name), ...JSON.parse(readFileSync(join(folder, name), 'utf8')) }));
}

/** Of the settings that `NEO4J_CONF` has: where the server's own files would be. */
function dataFolder() {
  const settings = readFileSync(join(process.env.NEO4J_CONF, 'neo4j.conf'), 'utf8');
  return /^server\.directories\.data=(.*)$/m.exec(settings)[1];
}

const storeOf = (name) => join(dataFolder(), 'databases', name, 'store.json');

/** The full one first, as the real one finds it beside the last file. */
function chainOf(file) {
  const all = headers(dirname(file)).reverse();
  const last = all.find((each) => each.file === file) ?? fail(`No such file: ${file}`);
  const before = all.filter((each) => each.id === last.id && each.file <= file);
  const full = before.findLastIndex((each) => each.full);
  const chain = full < 0 ? fail(`No full backup for ${file}`) : before.slice(full);
  let reached = 0;
  for (const { lowest, highest, full: whole } of chain) {
    if (!whole && highest > 0 && lowest !== reached + 1)
      fail(`Transactions ${reached + 1} to ${lowest - 1} are missing`);
    reached = Math.max(reached, highest);
  }
  return { chain, last, highest: reached };
}

function nextTime(folder) {
  const latest = Math.max(0, ...headers(folder).map((each) => Number(each.time.slice(-2))));
  return `2025-10-07T16-00-${String(latest + 1).padStart(2, '0')}`;
}

/** What the server has of a database. */
async function served(database) {
  const folder = process.env.STANDIN_SERVER;
  const missing = `Database '${database}' does not exist on the server`;
  if (folder !== undefined) {
    if (options.from === 'nobody:6362') fail('Connection refused: nobody:6362');
    const file = join(folder, `${database}.json`);
    return existsSync(file) ? readFileSync(file, 'utf8') : fail(missing);
  }
  for (const from of options.from.split(',')) {
    const response = await fetch(`http://${from}/${database}`).catch(() => undefined);
    if (response !== undefined) return response.ok ? await response.text() : fail(missing);
  }
  return fail(`Connection refused: ${options.from}`);
}

function inspect(folder) {
  const row = (cells) => console.log(`| ${cells.join(' | ')} |`);
  const more = CHANGES.recoveredShown ? ['STORE ID HASH', 'RECOVERED'] : [];
  const columns = ['FILE', 'DATABASE', 'DATABASE ID', 'TIME (UTC)', 'FULL', 'COMPRESSED', 'LOWEST TX', 'HIGHEST TX'];
  row([...columns, ...more]);
  for (const { file, database, id, time, full, lowest, highest, recovered } of headers(folder)) {
    const cells = [`file://${file}`, database, id, time, full, true, lowest, highest];
    row(CHANGES.recoveredShown ? [...cells, id.length, isRecovered({ full, recovered })] : cells);
  }
}

/** Of a full one the tool does so when it takes it. */
const isRecovered = ({ full, recovered = true }) => full && recovered;

const commands = {
  'database backup': async () => {
    // As the versions of 5 have it that have no command of its own for it.
    if (options['inspect-path'] !== undefined) return inspect(options['inspect-path']);
    const { id, highest, broken, metadata, recovered } = JSON.parse(await served(word));
    const all = headers(options['to-path']);
    const last = all.find((each) => each.id === id && each.highest > 0);
    if (options.type === 'DIFF' && last === undefined) fail(`No chain of '${word}' to continue`);
    const full = options.type === 'FULL' || last === undefined;
    const none = !full && last.highest === highest;
    const range = full ? { lowest: 1, highest } : { lowest: none ? 0 : last.highest + 1, highest: none ? 0 : highest };
    const time = nextTime(options['to-path']);
    writeFileSync(
      join(options['to-path'], `${word}-${time}.backup`),
      JSON.stringify({ database: word, id, time, full, broken, metadata, recovered, ...range }),
    );
    if (process.env.STANDIN_FAIL === word || (process.env.STANDIN_FAIL_FULL === word && options.type === 'FULL'))
      fail(`Backup of '${word}' succeeded with problems: a server was not reached`);
  },
  'database check': () => {
    if (options['from-path'] === undefined) {
      if (JSON.parse(readFileSync(storeOf(word), 'utf8')).broken === true) fail('Inconsistencies found.');
      return;
    }
    const [last, ...before] = headers(options['from-path']).filter(({ database }) => database === word);
    if (CHANGES.checksFullAlone) {
      if (before.length > 0 || !last.full) fail(`A backup chain of '${word}' cannot be checked: aggregate it first`);
      if (!isRecovered(last)) fail(`The backup of '${word}' is not recovered: aggregate it first`);
    }
    if (last.broken === true) fail(`Inconsistencies found. See ${options['report-path']}/inconsistencies.report`);
  },
  'database restore': () => {
    const { chain, last, highest } = chainOf(options['from-path']);
    const until = options['restore-until'];
    if (until !== undefined && chain.length === 1) fail('The backup can only be fully restored');
    if (until !== undefined && !/^\d+$/.test(until)) fail(`the stand-in knows transactions alone: ${until}`);
    const store = storeOf(word);
    if (existsSync(store)) fail(`Database '${word}' already exists`);
    const scripts = join(dataFolder(), 'scripts', word);
    for (const folder of [dirname(store), scripts]) mkdirSync(folder, { recursive: true });
    const reached = until === undefined ? highest : Math.min(highest, Number(until) - 1);
    writeFileSync(store, JSON.stringify({ id: last.id, highest: reached, broken: last.broken }));
    if (last.metadata !== undefined) writeFileSync(join(scripts, 'restore_metadata.cypher'), last.metadata);
  },
  'database info': () => {
    const { highest } = JSON.parse(readFileSync(storeOf(word), 'utf8'));
    console.log(
      JSON.stringify({ databaseName: word, recoveryRequired: 'false', lastCommittedTransaction: `${highest}` }),
    );
  },
  'database dump': () => {
    writeFileSync(join(options['to-path'], `${word}.dump`), readFileSync(storeOf(word)));
  },
  'database aggregate-backup': () => commands['backup aggregate'](),
  'backup aggregate': () => {
    const how = process.env.STANDIN_AGGREGATE;
    if (how === 'fails') fail('Failed to aggregate: recovery');
    const { last, highest } = chainOf(options['from-path']);
    const { file, ...header } = last;
    const time = nextTime(dirname(file));
    const reached = how === 'short' ? highest - 1 : highest;
    const whole = { ...header, time, full: true, lowest: 1, highest: reached, broken: how?.endsWith('broken') };
    const made = how?.startsWith('in-place') ? file : join(dirname(file), `${header.database}-${time}.backup`);
    writeFileSync(made, JSON.stringify(whole));
    if (options['keep-old-backup'] !== 'true') fail('the stand-in keeps them always');
  },
  'backup inspect': () => inspect(word),
};
await commands[`${group} ${verb}`]();
