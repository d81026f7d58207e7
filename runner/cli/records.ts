/** Looking at what there is: `list`, `describe`, `wait`. */
import { Option } from 'commander';
import { ENGINE_NAMES } from '../../src/contract';
import { WAIT_CONDITIONS, type WaitCondition } from '../commands/wait';
import type { Program } from './family';
import { examples, type GlobalOptions, type OutputOption, timeout, withGlobals, withOutput } from './options';

export interface ListCommandOptions extends GlobalOptions, OutputOption {
  readonly engine?: string;
  readonly status?: string;
}

export interface DescribeCommandOptions extends GlobalOptions, OutputOption {}

export interface WaitCommandOptions extends GlobalOptions {
  readonly for: WaitCondition;
  readonly timeout: number;
}

export interface RecordHandlers {
  list(database: string | undefined, options: ListCommandOptions): Promise<string>;
  describe(backup: string, options: DescribeCommandOptions): Promise<string>;
  wait(backup: string, options: WaitCommandOptions): Promise<string>;
}

export function addRecordCommands({ command, handle }: Program, handlers: RecordHandlers): void {
  withOutput(withGlobals(command('list [database]', 'List backups, newest first').alias('ls')))
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

  withOutput(withGlobals(command('describe <backup>', 'Show one backup in full')))
    .addHelpText(
      'after',
      examples(['stillpoint describe latest -n shop', 'stillpoint describe shop/orders-db/20261121020000 -o yaml']),
    )
    .action(handle((backup: string, options: DescribeCommandOptions) => handlers.describe(backup, options)));

  withGlobals(command('wait <backup>', 'Wait until a backup is in a certain state'))
    .addOption(new Option('--for <state>', 'what to wait for').choices(WAIT_CONDITIONS).default('succeeded'))
    .addOption(timeout('30m'))
    .addHelpText(
      'after',
      `\nlatest is here the newest backup of any state.\n${examples(['stillpoint wait latest -n shop', 'stillpoint wait shop/orders-db/20261121020000 --for cut'])}`,
    )
    .action(handle((backup: string, options: WaitCommandOptions) => handlers.wait(backup, options)));
}
