/** Removing backups: `delete`, `prune`. */
import { Option } from 'commander';
import type { Program } from './family';
import { examples, type GlobalOptions, type OutputOption, withGlobals, withOutput } from './options';

export interface DeleteCommandOptions extends GlobalOptions {
  readonly yes?: boolean;
  readonly withData?: boolean;
  readonly dryRun?: boolean;
}

export interface PruneCommandOptions extends GlobalOptions, OutputOption {
  readonly dryRun?: boolean;
  readonly onDemand?: boolean;
}

export interface RemovalHandlers {
  delete(backups: readonly string[], options: DeleteCommandOptions): Promise<string>;
  prune(options: PruneCommandOptions): Promise<string>;
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

  withOutput(
    withGlobals(
      command(
        'prune',
        'Remove backups that no retention keeps, finish deletions, and clean up after failed backups: of the whole registry, unless -n names a namespace',
      ),
    ),
  )
    .addOption(new Option('--on-demand', 'rest when it is done: what the pod of the Deployment runs').hideHelp())
    .option('--dry-run', 'remove nothing: print what would stay and what would go, with every reason')
    .addHelpText(
      'after',
      examples(['stillpoint prune --dry-run -n shop', 'stillpoint prune --dry-run -A -o json', 'stillpoint prune']),
    )
    .action(handle((options: PruneCommandOptions) => handlers.prune(options)));
}
