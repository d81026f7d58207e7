/** Taking backups: `run`, `backup`. */
import type { Program } from './family';
import { examples, type GlobalOptions, type OutputOption, timeout, withGlobals, withOutput } from './options';

export interface ConfigOption extends GlobalOptions {
  readonly config: string;
}

export interface BackupCommandOptions extends GlobalOptions, OutputOption {
  readonly config?: string;
  readonly wait?: boolean;
  readonly timeout: number;
}

export interface BackupHandlers {
  run(options: ConfigOption): Promise<string>;
  backup(policy: string | undefined, options: BackupCommandOptions): Promise<string>;
  install(folder: string): Promise<string>;
}

export function addBackupCommands({ command, handle }: Program, handlers: BackupHandlers): void {
  withGlobals(command('run', "Take the backup of a Job, or guard it: what the CronJob's pods run"))
    .requiredOption('--config <file>', 'the job config')
    .addHelpText('after', examples(['stillpoint run --config /etc/stillpoint/backup.yaml']))
    .action(handle((options: ConfigOption) => handlers.run(options)));

  command('install <folder>', 'Copy the runner into a volume: how it comes into the image of an engine', {
    hidden: true,
  }).action(handle((folder: string) => handlers.install(folder)));

  withOutput(
    withGlobals(
      command(
        'backup [policy]',
        'Take a backup now: start a Job of a policy (its CronJob), or work here with --config',
      ),
    ),
  )
    .option('--config <file>', 'take it in this process, as this job config says')
    .option('--wait', 'wait until the backup has succeeded or failed')
    .addOption(timeout('1h'))
    .addHelpText(
      'after',
      examples(['stillpoint backup orders-db -n shop --wait', 'kubectl stillpoint backup orders-db -n shop']),
    )
    .action(handle((policy: string | undefined, options: BackupCommandOptions) => handlers.backup(policy, options)));
}
