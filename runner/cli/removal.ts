/** Removing backups: `delete`, `prune`. */
import type { Program } from './family';
import { type GlobalOptions, withGlobals } from './options';

export interface DeleteCommandOptions extends GlobalOptions {
  readonly yes?: boolean;
}

export interface RemovalHandlers {
  delete(backup: string, options: DeleteCommandOptions): Promise<string>;
  prune(options: GlobalOptions): Promise<string>;
}

export function addRemovalCommands({ command, handle }: Program, handlers: RemovalHandlers): void {
  withGlobals(command('delete <backup>', 'Delete a backup with its snapshots'))
    .option('-y, --yes', 'do not ask')
    .action(handle((backup: string, options: DeleteCommandOptions) => handlers.delete(backup, options)));

  withGlobals(command('prune', 'Finish deletions, and remove what failed backups have left')).action(
    handle((options: GlobalOptions) => handlers.prune(options)),
  );
}
