/** What runs in the pods of copies: `copy-files`, `restore-copy`. */
import type { ConfigOption } from './backup';
import type { Program } from './family';
import { withGlobals } from './options';

export interface CopyFilesCommandOptions {
  readonly config: string;
  readonly result?: string;
}

export interface CopyHandlers {
  copyFiles(options: CopyFilesCommandOptions): Promise<string>;
  restoreCopy(options: ConfigOption): Promise<string>;
}

export function addCopyCommands({ command, handle }: Program, handlers: CopyHandlers): void {
  command('copy-files', 'Store the files of the volumes that are mounted: what the worker of copies runs', {
    hidden: true,
  })
    .requiredOption('--config <file>', 'the job config of the policy')
    .option('--result <file>', 'write the outcome there as JSON')
    .action(handle((options: CopyFilesCommandOptions) => handlers.copyFiles(options)));

  withGlobals(
    command('restore-copy', 'Fill empty volumes from a copy: what the Job of a restore runs first', { hidden: true }),
  )
    .requiredOption('--config <file>', 'which copy, and which volumes')
    .action(handle((options: ConfigOption) => handlers.restoreCopy(options)));
}
