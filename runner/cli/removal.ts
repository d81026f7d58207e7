/** Removing backups: `delete`, `prune`. */
import type { Program } from './family';
import { examples, type GlobalOptions, type OutputOption, withGlobals, withOutput } from './options';

export interface DeleteCommandOptions extends GlobalOptions {
  readonly yes?: boolean;
}

export interface PruneCommandOptions extends GlobalOptions, OutputOption {
  readonly dryRun?: boolean;
}

export interface RemovalHandlers {
  delete(backup: string, options: DeleteCommandOptions): Promise<string>;
  prune(options: PruneCommandOptions): Promise<string>;
}

export function addRemovalCommands({ command, handle }: Program, handlers: RemovalHandlers): void {
  withGlobals(command('delete <backup>', 'Delete a backup with its snapshots'))
    .option('-y, --yes', 'do not ask')
    .action(handle((backup: string, options: DeleteCommandOptions) => handlers.delete(backup, options)));

  withOutput(
    withGlobals(
      command('prune', 'Remove backups that no retention keeps, finish deletions, and clean up after failed backups'),
    ),
  )
    .option('--dry-run', 'remove nothing: print what would stay and what would go, with every reason')
    .addHelpText(
      'after',
      examples(['stillpoint prune --dry-run -n shop', 'stillpoint prune --dry-run -A -o json', 'stillpoint prune']),
    )
    .action(handle((options: PruneCommandOptions) => handlers.prune(options)));
}
