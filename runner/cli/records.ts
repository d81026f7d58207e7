/** Looking at what there is: `list`, `status`, `describe`, `wait`. */
import { Option } from 'commander';
import { RECORDED_ENGINES } from '../../src/contract';
import { WAIT_CONDITIONS, type WaitCondition } from '../commands/wait';
import { SORT_KEYS, type SortKey, STATUSES, type Status } from '../listing';
import type { Moment } from '../output/duration';
import type { Program } from './family';
import {
  durationArgument,
  examples,
  fromStore,
  type GlobalOptions,
  momentArgument,
  type OutputOption,
  timeout,
  withGlobals,
  withOutput,
  withSelector,
  wordsArgument,
} from './options';

export interface ListCommandOptions extends GlobalOptions, OutputOption {
  readonly selector?: string;
  readonly engine?: string;
  readonly status?: readonly Status[];
  readonly since?: Moment;
  readonly until?: Moment;
  readonly sortBy?: SortKey;
  readonly headers: boolean;
  readonly from?: string;
}

export interface StatusCommandOptions extends GlobalOptions, OutputOption {
  readonly selector?: string;
  readonly maxAge?: number;
  readonly headers: boolean;
}

export interface DescribeCommandOptions extends GlobalOptions, OutputOption {
  readonly from?: string;
}

export interface CheckCommandOptions extends GlobalOptions, OutputOption {
  readonly from?: string;
  readonly identityFile?: string;
}

export interface WaitCommandOptions extends GlobalOptions, OutputOption {
  readonly selector?: string;
  readonly for: WaitCondition;
  readonly timeout: number;
}

export interface RecordHandlers {
  list(database: string | undefined, options: ListCommandOptions): Promise<string>;
  status(database: string | undefined, options: StatusCommandOptions): Promise<string>;
  describe(name: string, options: DescribeCommandOptions): Promise<string>;
  check(backup: string, options: CheckCommandOptions): Promise<string>;
  wait(backups: readonly string[], options: WaitCommandOptions): Promise<string>;
}

export function addRecordCommands({ command, handle }: Program, handlers: RecordHandlers): void {
  withSelector(
    withOutput(withGlobals(command('list [database]', 'List backups by database, newest first').alias('ls'))),
    'only backups whose records have these labels',
  )
    .addOption(new Option('--engine <engine>', 'only of this engine').choices(RECORDED_ENGINES))
    .addOption(
      new Option('--status <status>', 'only those of this STATUS, or of several as failed,missing')
        .choices(STATUSES)
        .argParser(wordsArgument(STATUSES)),
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
    .addOption(fromStore())
    .addHelpText(
      'after',
      examples([
        'stillpoint list',
        "stillpoint list --from 's3://backups-of-shop/prod?region=eu-central-1'",
        'stillpoint list orders-db -n shop -o wide',
        'stillpoint list -A --status failed --since 24h',
        'stillpoint list -A -l stillpoint.dev/trigger=manual --sort-by age',
        'stillpoint list orders-db --until 30d -o name',
      ]),
    )
    .action(handle((database: string | undefined, options: ListCommandOptions) => handlers.list(database, options)));

  withSelector(
    withOutput(
      withGlobals(
        command('status [database]', 'Show how each database stands: its last good backup, failures, the next run'),
      ),
    ),
    'only databases with a policy or a backup that has these labels',
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
        'stillpoint status -A -l team=shop',
      ])}`,
    )
    .action(
      handle((database: string | undefined, options: StatusCommandOptions) => handlers.status(database, options)),
    );

  withOutput(withGlobals(command('describe <name>', 'Show a backup or a database in full')))
    .addOption(fromStore())
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

  withOutput(withGlobals(command('check <backup>', 'Read a dump to its end, here, and compare it with its record')))
    .addOption(fromStore())
    .option(
      '--identity-file <file>',
      'the identity that opens an encrypted dump; without it the stored bytes are compared',
    )
    .addHelpText(
      'after',
      `\nThe store is read with the credentials that this machine has: the variables and files of the cloud's own tools, or the folder\nthat ?credentials= names. Nothing is written anywhere.\n${examples(
        [
          'stillpoint check shop/orders-dump/latest',
          "stillpoint check shop/orders-dump/latest --from 's3://backups?endpoint=https://minio:9000' --identity-file key.txt",
        ],
      )}`,
    )
    .action(handle((backup: string, options: CheckCommandOptions) => handlers.check(backup, options)));

  withSelector(
    withOutput(withGlobals(command('wait [backup...]', 'Wait until backups are in a certain state'))),
    'wait for all whose records have these labels, instead of by name',
  )
    .addOption(new Option('--for <state>', 'what to wait for').choices(WAIT_CONDITIONS).default('succeeded'))
    .addOption(timeout('30m'))
    .addHelpText(
      'after',
      `\nlatest is here the newest on record of any state. A backup that was begun just now is not on record yet: wait for it by the\nname that stillpoint backup prints. ready and succeeded are the same: every snapshot can be restored from. It ends at once\nwith 4 when what is waited for can no longer come, and with 8 when --timeout is over, which is one for all.\n${examples(
        [
          'stillpoint wait shop/orders-db/20261121020000',
          'stillpoint wait latest -n shop --for cut',
          'stillpoint wait -A -l stillpoint.dev/trigger=pre-deployment --for succeeded -o name',
        ],
      )}`,
    )
    .action(handle((backups: readonly string[], options: WaitCommandOptions) => handlers.wait(backups, options)));
}
