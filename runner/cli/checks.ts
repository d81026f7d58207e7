/** Looking after policies and their databases: `doctor`, `heal`. */
import type { BackupCommandOptions } from './backup';
import type { Program } from './family';
import { examples, resultFile, timeout, withGlobals, withOutput } from './options';

export interface DoctorCommandOptions extends BackupCommandOptions {
  readonly result?: string;
  /** A file with the pruner's stores. */
  readonly stores?: string;
  readonly rehearse?: boolean;
  readonly yes?: boolean;
}

export interface HealCommandOptions extends BackupCommandOptions {
  readonly result?: string;
}

export interface CheckHandlers {
  doctor(policy: string | undefined, options: DoctorCommandOptions): Promise<string>;
  heal(policy: string | undefined, options: HealCommandOptions): Promise<string>;
}

export function addCheckCommands({ command, handle }: Program, handlers: CheckHandlers): void {
  withOutput(
    withGlobals(command('doctor [policy]', 'Say before the first night what would fail: of a policy, or of all')),
  )
    .option('--rehearse', 'also freeze the database, prove it and let it go at once, without a snapshot; asks first')
    .option('-y, --yes', 'do not ask')
    .option('--config <file>', 'check in this process, as this job config says')
    .option('--stores <file>', 'look in this process at the stores of this file, as the pruner has them')
    .addOption(resultFile())
    .addOption(timeout('5m'))
    .addHelpText(
      'after',
      `\nThe checks run in a Job of the policy's own, with its account, network and credentials; it is removed again.
Without a policy they run for all of the namespace, or everywhere with -A. The registry's stores, those of dumps and those of the
copies of records, are looked at in a Job of the pruner's, which deletes there, unless the policy is one of snapshots. Of imported backups the storage is asked from here
whether it still has them, which takes the rights of an import. Findings come the worst first, each with its
remedy; warnings end with 0, errors with the exit code of the first of them.\n${examples([
        'stillpoint doctor orders-db -n shop',
        'stillpoint doctor orders-db -n shop --rehearse',
        'stillpoint doctor -A -o json',
      ])}`,
    )
    .action(handle((policy: string | undefined, options: DoctorCommandOptions) => handlers.doctor(policy, options)));

  withOutput(
    withGlobals(
      command(
        'heal [policy]',
        'Undo at once what a backup has left in force at a database whose runner is gone; else the next backup does',
      ),
    ),
  )
    .option('--config <file>', 'work in this process, as this job config says')
    .addOption(resultFile())
    .addOption(timeout('5m'))
    .addHelpText('after', examples(['stillpoint heal sessions-db -n shop']))
    .action(handle((policy: string | undefined, options: HealCommandOptions) => handlers.heal(policy, options)));
}
