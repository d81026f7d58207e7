/** Looking at what there is: `list`, `status`, `describe`, `wait`. */
import { Option } from 'commander';
import { PHASES, type Phase, RECORDED_ENGINES } from '../../src/contract';
import { WAIT_CONDITIONS, type WaitCondition } from '../commands/wait';
import { SORT_KEYS, type SortKey } from '../listing';
import type { Moment } from '../output/duration';
import type { Program } from './family';
import {
  durationArgument,
  examples,
  type GlobalOptions,
  momentArgument,
  type OutputOption,
  timeout,
  withGlobals,
  withOutput,
  wordsArgument,
} from './options';

export interface ListCommandOptions extends GlobalOptions, OutputOption {
  readonly selector?: string;
  readonly engine?: string;
  readonly status?: readonly Phase[];
  readonly since?: Moment;
  readonly until?: Moment;
  readonly sortBy?: SortKey;
  readonly headers: boolean;
}

export interface StatusCommandOptions extends GlobalOptions, OutputOption {
  readonly maxAge?: number;
  readonly headers: boolean;
}

export interface DescribeCommandOptions extends GlobalOptions, OutputOption {}

export interface WaitCommandOptions extends GlobalOptions {
  readonly for: WaitCondition;
  readonly timeout: number;
}

export interface RecordHandlers {
  list(database: string | undefined, options: ListCommandOptions): Promise<string>;
  status(database: string | undefined, options: StatusCommandOptions): Promise<string>;
  describe(name: string, options: DescribeCommandOptions): Promise<string>;
  wait(backup: string, options: WaitCommandOptions): Promise<string>;
}

export function addRecordCommands({ command, handle }: Program, handlers: RecordHandlers): void {
  withOutput(withGlobals(command('list [database]', 'List backups by database, newest first').alias('ls')))
    .option('-l, --selector <labels>', "only records with these labels, as kubectl's -l has it")
    .addOption(new Option('--engine <engine>', 'only of this engine').choices(RECORDED_ENGINES))
    .addOption(
      new Option('--status <status>', 'only in this phase, or in several as failed,deleting')
        .choices(PHASES)
        .argParser(wordsArgument(PHASES)),
    )
    .addOption(
      new Option('--since <when>', 'only those begun since then: an age as 24h or 30d, or an instant').argParser(
        momentArgument,
      ),
    )
    .addOption(
      new Option('--until <when>', 'only those begun before, likewise: 30d and older').argParser(momentArgument),
    )
    .addOption(new Option('--sort-by <key>', 'database, each newest first, unless given').choices(SORT_KEYS))
    .option('--no-headers', 'print no heading')
    .addHelpText(
      'after',
      examples([
        'stillpoint list',
        'stillpoint list orders-db -n shop -o wide',
        'stillpoint list -A --status failed --since 24h',
        'stillpoint list -A -l stillpoint.dev/trigger=manual --sort-by age',
        'stillpoint list orders-db --until 30d -o name',
      ]),
    )
    .action(handle((database: string | undefined, options: ListCommandOptions) => handlers.list(database, options)));

  withOutput(
    withGlobals(
      command('status [database]', 'Show how each database stands: its last good backup, failures, the next run'),
    ),
  )
    .addOption(
      new Option(
        '--max-age <age>',
        'end with 9 when the last good backup of a database is older, as 26h; for monitoring',
      ).argParser(durationArgument),
    )
    .option('--no-headers', 'print no heading')
    .addHelpText(
      'after',
      `\nSTATUS is ok, failing (backups since the last good one have failed), late (older than --max-age) or missing (no good backup at all).
A database without a policy counts for --max-age only when it is named.\n${examples([
        'stillpoint status -A',
        'stillpoint status orders-db -n shop --max-age 26h',
        'stillpoint status -A --max-age 26h -o json',
      ])}`,
    )
    .action(
      handle((database: string | undefined, options: StatusCommandOptions) => handlers.status(database, options)),
    );

  withOutput(withGlobals(command('describe <name>', 'Show a backup or a database in full')))
    .addHelpText(
      'after',
      `\nA database is called <database> or <namespace>/<database>; it is shown with its policies, last results, next run and backups.\n${examples(
        [
          'stillpoint describe orders-db -n shop',
          'stillpoint describe shop/orders-db',
          'stillpoint describe latest -n shop',
          'stillpoint describe shop/orders-db/20261121020000 -o yaml',
        ],
      )}`,
    )
    .action(handle((name: string, options: DescribeCommandOptions) => handlers.describe(name, options)));

  withGlobals(command('wait <backup>', 'Wait until a backup is in a certain state'))
    .addOption(new Option('--for <state>', 'what to wait for').choices(WAIT_CONDITIONS).default('succeeded'))
    .addOption(timeout('30m'))
    .addHelpText(
      'after',
      `\nlatest is here the newest backup of any state: after stillpoint backup, the one that was begun. ready and succeeded are\nthe same: every snapshot can be restored from. It ends at once with 4 when what is waited for can no longer come.\n${examples(['stillpoint wait latest -n shop', 'stillpoint wait shop/orders-db/20261121020000 --for cut'])}`,
    )
    .action(handle((backup: string, options: WaitCommandOptions) => handlers.wait(backup, options)));
}
