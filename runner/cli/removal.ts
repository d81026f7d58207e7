/** Removing backups: `delete`, `prune`. */
import { Option } from 'commander';
import type { Program } from './family';
import { examples, type GlobalOptions, type OutputOption, withGlobals, withOutput, withSelector } from './options';

export interface StoresOption {
  /** A file with the stores that dumps are in. */
  readonly stores?: string;
}

export interface DeleteCommandOptions extends GlobalOptions, OutputOption, StoresOption {
  readonly selector?: string;
  readonly yes?: boolean;
  readonly withData?: boolean;
  readonly dryRun?: boolean;
}

export interface PruneCommandOptions extends GlobalOptions, OutputOption, StoresOption {
  readonly dryRun?: boolean;
  readonly onDemand?: boolean;
}

export interface RemovalHandlers {
  delete(backups: readonly string[], options: DeleteCommandOptions): Promise<string>;
  prune(options: PruneCommandOptions): Promise<string>;
}

export function addRemovalCommands({ command, handle }: Program, handlers: RemovalHandlers): void {
  withSelector(
    withOutput(
      withGlobals(
        command('delete [backup...]', 'Delete backups with their snapshots and dumps; never the last good one'),
      ),
    ),
    'delete all whose records have these labels, instead of by name',
  )
    .option('-y, --yes', 'do not ask')
    .option(
      '--with-data',
      'of an imported backup: delete what the storage holds too, although another cluster has taken it',
    )
    .option('--dry-run', 'only say what would be deleted')
    .option('--stores <file>', 'remove dumps from here, by the stores in this file; the pruner does it unless given')
    .addHelpText(
      'after',
      examples([
        'stillpoint delete shop/orders-db/20261121020000',
        'stillpoint delete orders-db/20261121020000 orders-db/20261120020000 -n shop --dry-run',
        'stillpoint list orders-db --status failed -o name | xargs -r stillpoint delete --yes',
        'stillpoint delete -n shop -l stillpoint.dev/revision=v1.4.0 --dry-run',
      ]),
    )
    .action(handle((backups: readonly string[], options: DeleteCommandOptions) => handlers.delete(backups, options)));

  withOutput(
    withGlobals(
      command('prune', 'Remove backups that no retention keeps, finish deletions, and clean up after failed backups'),
    ),
  )
    .addOption(new Option('--on-demand', 'rest when it is done: what the pod of the Deployment runs').hideHelp())
    .option('--stores <file>', 'the stores that dumps are removed from, with their credentials')
    .option('--dry-run', 'remove nothing: print what would stay and what would go, with every reason')
    .addHelpText(
      'after',
      `\nWithout -n it works on the whole registry, whatever the namespace of the context: what is to be done does not depend on who
does it. So does -A. With -n it removes nothing of other namespaces. The pruner does the same by itself, each hour and after backups.\n${examples(
        ['stillpoint prune --dry-run -n shop', 'stillpoint prune --dry-run -A -o json', 'stillpoint prune'],
      )}`,
    )
    .action(handle((options: PruneCommandOptions) => handlers.prune(options)));
}
