/** Removing backups: `delete`, `prune`. */
import type { Program } from './family';
import { examples, type GlobalOptions, withGlobals } from './options';

export interface DeleteCommandOptions extends GlobalOptions {
  readonly yes?: boolean;
  readonly withData?: boolean;
  readonly dryRun?: boolean;
}

export interface RemovalHandlers {
  delete(backups: readonly string[], options: DeleteCommandOptions): Promise<string>;
  prune(options: GlobalOptions): Promise<string>;
}

export function addRemovalCommands({ command, handle }: Program, handlers: RemovalHandlers): void {
  withGlobals(command('delete <backup...>', 'Delete backups with their snapshots; never the last good one'))
    .option('-y, --yes', 'do not ask')
    .option(
      '--with-data',
      'of an imported backup: delete what the storage holds too, although another cluster has taken it',
    )
    .option('--dry-run', 'only say what would be deleted')
    .addHelpText(
      'after',
      examples([
        'stillpoint delete shop/orders-db/20261121020000',
        'stillpoint delete orders-db/20261121020000 orders-db/20261120020000 -n shop --dry-run',
        'stillpoint list orders-db --status failed -o name | xargs -r stillpoint delete --yes',
      ]),
    )
    .action(handle((backups: readonly string[], options: DeleteCommandOptions) => handlers.delete(backups, options)));

  withGlobals(command('prune', 'Finish deletions, and remove what failed backups have left'))
    .addHelpText('after', examples(['stillpoint prune']))
    .action(handle((options: GlobalOptions) => handlers.prune(options)));
}
