/** Looking after policies and their databases: `doctor`, `heal`. */
import type { BackupCommandOptions } from './backup';
import type { Program } from './family';
import { examples, resultFile, timeout, withGlobals, withOutput } from './options';

export interface DoctorCommandOptions extends BackupCommandOptions {
  readonly result?: string;
}

export interface HealCommandOptions extends DoctorCommandOptions {}

export interface CheckHandlers {
  doctor(policy: string | undefined, options: DoctorCommandOptions): Promise<string>;
  heal(policy: string | undefined, options: HealCommandOptions): Promise<string>;
}

export function addCheckCommands({ command, handle }: Program, handlers: CheckHandlers): void {
  withOutput(withGlobals(command('doctor [policy]', 'Check everything that a backup needs, without taking one')))
    .option('--config <file>', 'check in this process, as this job config says')
    .addOption(resultFile())
    .addOption(timeout('5m'))
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
