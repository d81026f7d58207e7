/**
 * A stand-in for neo4j-admin of the Enterprise edition, 2025, which was not to be had. It reads the options that
 * runner/engines/neo4j/enterprise writes and refuses all others. What it is not:
 * - a "server" is a folder beside the backups, `STANDIN_SERVER`, with one JSON file a database: `{"id": …, "highest": …}`; `--from` is
 *   believed unless it says `nobody:6362`;
 * - a backup file is JSON of its header, and holds no store and no transactions; `check` says that a file is broken when its header
 *   says `"broken": true`, and looks at no chain;
 * - its table has the columns of the documentation, and no others; times are counted, not taken;
 * - it says that it is of 2025.10.0, whatever `STANDIN_VERSION` does not say otherwise;
 * - `STANDIN_FAIL=<database>` makes the backup of that one end with 1 and a file all the same, as problems beside a success do.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const [group, verb, ...rest] = process.argv.slice(2);
if (group === '--version') {
  console.log(process.env.STANDIN_VERSION ?? '2025.10.0');
  process.exit(0);
}
const known = {
  'database backup': ['from', 'to-path', 'type', 'include-metadata', 'temp-path'],
  'database check': ['from-path', 'temp-path', 'report-path'],
  'backup inspect': ['show-metadata', 'empty'],
}[`${group} ${verb}`];
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

const commands = {
  'database backup': () => {
    if (options.from === 'nobody:6362') fail('Connection refused: nobody:6362');
    const served = join(process.env.STANDIN_SERVER, `${word}.json`);
    if (!existsSync(served)) fail(`Database '${word}' does not exist on the server`);
    const { id, highest, broken } = JSON.parse(readFileSync(served, 'utf8'));
    const all = headers(options['to-path']);
    const last = all.find((each) => each.id === id && each.highest > 0);
    if (options.type === 'DIFF' && last === undefined) fail(`No chain of '${word}' to continue`);
    const full = options.type === 'FULL' || last === undefined;
    const none = !full && last.highest === highest;
    const range = full ? { lowest: 1, highest } : { lowest: none ? 0 : last.highest + 1, highest: none ? 0 : highest };
    const latest = Math.max(0, ...all.map((each) => Number(each.time.slice(-2))));
    const time = `2025-10-07T16-00-${String(latest + 1).padStart(2, '0')}`;
    writeFileSync(
      join(options['to-path'], `${word}-${time}.backup`),
      JSON.stringify({ database: word, id, time, full, broken, ...range }),
    );
    if (process.env.STANDIN_FAIL === word)
      fail(`Backup of '${word}' succeeded with problems: a server was not reached`);
  },
  'database check': () => {
    const [last] = headers(options['from-path']).filter(({ database }) => database === word);
    if (last.broken === true) fail(`Inconsistencies found. See ${options['report-path']}/inconsistencies.report`);
  },
  'backup inspect': () => {
    const row = (cells) => console.log(`| ${cells.join(' | ')} |`);
    const columns = ['FILE', 'DATABASE', 'DATABASE ID', 'TIME (UTC)', 'FULL', 'COMPRESSED', 'LOWEST TX', 'HIGHEST TX'];
    row(columns);
    for (const { file, database, id, time, full, lowest, highest } of headers(word)) {
      row([`file://${file}`, database, id, time, full, true, lowest, highest]);
    }
  },
};
commands[`${group} ${verb}`]();
