/** The command line: which commands there are, what they take, and their help. What they do is main's to wire. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { DEFAULT_REGISTRY_NAMESPACE, ENGINE_NAMES } from '../src/contract';
import { WAIT_CONDITIONS, type WaitCondition } from './commands/wait';
import { EXIT_CODES } from './errors';
import { parseDuration } from './output/duration';
import { OUTPUTS, type Output } from './output/records';

/** What every command knows of where to look. */
export interface GlobalOptions {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly namespace?: string;
  readonly allNamespaces?: boolean;
  readonly registry: string;
  readonly registryDirectory?: string;
}

export interface OutputOption {
  readonly output: Output;
}

export interface ListCommandOptions extends GlobalOptions, OutputOption {
  readonly engine?: string;
  readonly status?: string;
}

export interface WaitCommandOptions extends GlobalOptions {
  readonly for: WaitCondition;
  readonly timeout: number;
}

export interface ConfigOption extends GlobalOptions {
  readonly config: string;
}

export interface BackupCommandOptions extends GlobalOptions, OutputOption {
  readonly config?: string;
  readonly wait?: boolean;
  readonly timeout: number;
}

export interface DoctorCommandOptions extends BackupCommandOptions {
  readonly result?: string;
}

export interface HealCommandOptions extends DoctorCommandOptions {}

export interface RestoreCommandOptions extends GlobalOptions, OutputOption {
  readonly claim?: readonly string[];
  readonly toNamespace?: string;
  readonly storageClass?: string;
  readonly size?: readonly string[];
  readonly directory?: string;
  readonly start?: boolean;
  readonly keep?: boolean;
  readonly undo?: string;
  readonly image?: string;
  readonly inPlace?: boolean;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  /** Undefined: where the database answers. */
  readonly backupFirst?: boolean;
  readonly oneMember?: boolean;
  readonly despiteControllers?: boolean;
  readonly timeout: number;
}

export interface PrepareCommandOptions extends GlobalOptions {
  readonly record?: string;
  readonly recordFile?: string;
  readonly volume: readonly string[];
  readonly inPlace?: boolean;
  readonly attach?: boolean;
  readonly result?: string;
}

export interface InspectCommandOptions {
  readonly recordFile: string;
  readonly socket: string;
  readonly timeout: number;
  readonly result?: string;
}

/** What main does for each command. What comes back is printed. */
export interface Handlers {
  run(options: ConfigOption): Promise<string>;
  backup(policy: string | undefined, options: BackupCommandOptions): Promise<string>;
  list(database: string | undefined, options: ListCommandOptions): Promise<string>;
  describe(backup: string, options: GlobalOptions & OutputOption): Promise<string>;
  wait(backup: string, options: WaitCommandOptions): Promise<string>;
  restore(backup: string | undefined, options: RestoreCommandOptions): Promise<string>;
  delete(backup: string, options: GlobalOptions & { readonly yes?: boolean }): Promise<string>;
  doctor(policy: string | undefined, options: DoctorCommandOptions): Promise<string>;
  heal(policy: string | undefined, options: HealCommandOptions): Promise<string>;
  prune(options: GlobalOptions): Promise<string>;
  prepare(options: PrepareCommandOptions): Promise<string>;
  inspect(options: InspectCommandOptions): Promise<string>;
}

/** The program with all its commands. Results of handlers go to `print`. */
export function buildProgram(version: string, handlers: Handlers, print: (text: string) => void): Command {
  const program = new Command('stillpoint')
    .exitOverride()
    .description('Application-consistent backups for databases on Kubernetes.')
    .version(version)
    .showHelpAfterError('(see stillpoint --help)')
    .addHelpText('after', `\n${BACKUP_NAMES}\nExit codes:\n${exitCodes()}`);
  const add = (declaration: string, description: string): Command =>
    withGlobals(program.command(declaration).description(description));
  const handle =
    <A extends unknown[]>(work: (...args: A) => Promise<string>) =>
    async (...args: A): Promise<void> =>
      print(await work(...args));

  add('run', "Take the backup of a Job, or guard it: what the CronJob's pods run")
    .requiredOption('--config <file>', 'the job config')
    .action(handle((options: ConfigOption) => handlers.run(options)));

  withOutput(
    add('backup [policy]', 'Take a backup now: start a Job of a policy (its CronJob), or work here with --config'),
  )
    .option('--config <file>', 'take it in this process, as this job config says')
    .option('--wait', 'wait until the backup has succeeded or failed')
    .addOption(timeout('1h'))
    .addHelpText(
      'after',
      examples(['stillpoint backup orders-db -n shop --wait', 'kubectl stillpoint backup orders-db -n shop']),
    )
    .action(handle((policy: string | undefined, options: BackupCommandOptions) => handlers.backup(policy, options)));

  withOutput(add('list [database]', 'List backups, newest first').alias('ls'))
    .addOption(new Option('--engine <engine>', 'only of this engine').choices(ENGINE_NAMES))
    .option('--status <status>', 'only in this phase')
    .addHelpText(
      'after',
      examples([
        'stillpoint list -A',
        'stillpoint list orders-db -n shop -o wide',
        'stillpoint list -A --status failed -o json',
      ]),
    )
    .action(handle((database: string | undefined, options: ListCommandOptions) => handlers.list(database, options)));

  withOutput(add('describe <backup>', 'Show one backup in full'))
    .addHelpText(
      'after',
      examples(['stillpoint describe latest -n shop', 'stillpoint describe shop/orders-db/20261121020000 -o yaml']),
    )
    .action(handle((backup: string, options: GlobalOptions & OutputOption) => handlers.describe(backup, options)));

  add('wait <backup>', 'Wait until a backup is in a certain state')
    .addOption(new Option('--for <state>', 'what to wait for').choices(WAIT_CONDITIONS).default('succeeded'))
    .addOption(timeout('30m'))
    .addHelpText(
      'after',
      `\nlatest is here the newest backup of any state.\n${examples(['stillpoint wait latest -n shop', 'stillpoint wait shop/orders-db/20261121020000 --for cut'])}`,
    )
    .action(handle((backup: string, options: WaitCommandOptions) => handlers.wait(backup, options)));

  withOutput(add('restore [backup]', 'Make claims from a backup beside the original; nothing is overwritten'))
    .option(
      '--claim <name...>',
      'the name of the new claim; with several volumes the beginning of their names, or volume=name for each',
    )
    .option('--to-namespace <namespace>', "where to make the claims; the backup's own namespace unless given")
    .option('--storage-class <class>', 'the storage class of the claims; as recorded unless given')
    .option('--size <quantity...>', 'the size of the claims, or volume=size for each; as recorded unless given')
    .option('--directory <folder>', 'restore a local backup into this new or empty folder')
    .option('--start', 'start a throw-away server on the claims and compare its position with the record')
    .option('--keep', 'leave that server running')
    .option('--undo <name>', 'remove what the restore of this name has made, and nothing else; no backup is named')
    .option('--in-place', "put the backup in the database's own place; its present volumes are kept")
    .option('-y, --yes', 'in place: do not ask')
    .option('--dry-run', 'in place: say what would be done, and do nothing')
    .option('--backup-first', 'in place: take no step without a backup of the present state')
    .option('--no-backup-first', 'in place: take no backup of the present state; it is kept all the same')
    .option('--one-member', 'in place: restore one member of a StatefulSet that has several')
    .option('--despite-controllers', 'in place: go on although something else may set the replicas')
    .option('--image <image>', "the runner's image for the Job that prepares the files; as recorded unless given")
    .addOption(timeout('30m'))
    .addHelpText(
      'after',
      examples([
        'stillpoint restore latest -n shop --claim orders-copy --start',
        'stillpoint restore shop/orders-db/20261121020000 --claim data=copy-data --claim log=copy-log --to-namespace staging',
        'stillpoint restore --undo orders-copy -n shop',
        'stillpoint restore latest -n shop --in-place',
        'stillpoint restore --in-place --undo 20261121030000 -n shop',
      ]),
    )
    .action(handle((backup: string | undefined, options: RestoreCommandOptions) => handlers.restore(backup, options)));

  add('delete <backup>', 'Delete a backup with its snapshots')
    .option('-y, --yes', 'do not ask')
    .action(handle((backup: string, options: GlobalOptions & { yes?: boolean }) => handlers.delete(backup, options)));

  withOutput(add('doctor [policy]', 'Check everything that a backup needs, without taking one'))
    .option('--config <file>', 'check in this process, as this job config says')
    .addOption(
      new Option('--result <file>', 'write the findings there, packed, for whoever watches the pod').hideHelp(),
    )
    .addOption(timeout('5m'))
    .action(handle((policy: string | undefined, options: DoctorCommandOptions) => handlers.doctor(policy, options)));

  withOutput(
    add(
      'heal [policy]',
      'Undo at once what a backup has left in force at a database whose runner is gone; else the next backup does',
    ),
  )
    .option('--config <file>', 'work in this process, as this job config says')
    .addOption(
      new Option('--result <file>', 'write the findings there, packed, for whoever watches the pod').hideHelp(),
    )
    .addOption(timeout('5m'))
    .addHelpText('after', examples(['stillpoint heal sessions-db -n shop']))
    .action(handle((policy: string | undefined, options: HealCommandOptions) => handlers.heal(policy, options)));

  add('prune', 'Finish deletions, and remove what failed backups have left').action(
    handle((options: GlobalOptions) => handlers.prune(options)),
  );

  withGlobals(
    program
      .command('prepare', { hidden: true })
      .description('Make restored files fit to start: what the Job of a restore runs'),
  )
    .option('--record <name>', 'the name of the record in the registry')
    .option('--record-file <file>', 'the record itself')
    .requiredOption('--volume <name=path...>', 'where each volume is mounted')
    .option('--in-place', "the copy takes the original's place")
    .option('--attach', "let a copy that takes the original's place back into its world")
    .option('--result <file>', 'write the outcome there as JSON')
    .action(handle((options: PrepareCommandOptions) => handlers.prepare(options)));

  program
    .command('inspect', { hidden: true })
    .description('Look at a server on restored volumes: what runs beside it')
    .requiredOption('--record-file <file>', 'the record')
    .requiredOption('--socket <folder>', "the folder of the server's socket")
    .option('--result <file>', 'write the outcome there as JSON')
    .addOption(timeout('15m'))
    .action(handle((options: InspectCommandOptions) => handlers.inspect(options)));

  return program;
}

const BACKUP_NAMES = `A backup is called <id>, latest, <database>/<id> or <namespace>/<database>/<id>.
latest is the newest that succeeded; for wait, the newest of any state.
`;

function withGlobals(command: Command): Command {
  return command
    .option('--kubeconfig <file>', 'the kubeconfig to use')
    .option('--context <name>', 'the context of the kubeconfig')
    .option('-n, --namespace <namespace>', "the database's namespace")
    .option('-A, --all-namespaces', 'look in all namespaces')
    .addOption(
      new Option('--registry <namespace>', 'the namespace that the records are in')
        .default(DEFAULT_REGISTRY_NAMESPACE)
        .env('STILLPOINT_REGISTRY')
        .argParser(namespaceArgument),
    )
    .option('--registry-directory <folder>', 'the folder that the records are in, for backups without a cluster');
}

function withOutput(command: Command): Command {
  return command.addOption(new Option('-o, --output <format>', 'how to print it').choices(OUTPUTS).default('table'));
}

function timeout(fallback: string): Option {
  return new Option('--timeout <duration>', 'how long to wait, as 90s, 30m, 1h30m')
    .argParser(durationArgument)
    .default(durationArgument(fallback), fallback);
}

function durationArgument(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined) throw new InvalidArgumentError('a duration looks as 90s, 30m or 1h30m');
  return ms;
}

/** An empty one would mean all namespaces to the API. */
function namespaceArgument(text: string): string {
  if (text !== '') return text;
  throw new InvalidArgumentError('a namespace has a name');
}

function examples(lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}\n`).join('')}`;
}

function exitCodes(): string {
  return Object.entries(EXIT_CODES)
    .map(([code, meaning]) => `  ${code}  ${meaning}\n`)
    .join('');
}
