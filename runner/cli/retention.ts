/** What stays whatever a retention says: `protect`, `release`. */
import type { Program } from './family';
import { examples, type GlobalOptions, withGlobals } from './options';

export interface ProtectCommandOptions extends GlobalOptions {
  readonly reason?: string;
}

export interface RetentionHandlers {
  protect(backup: string, options: ProtectCommandOptions): Promise<string>;
  release(backup: string, options: ProtectCommandOptions): Promise<string>;
}

export function addRetentionCommands({ command, handle }: Program, handlers: RetentionHandlers): void {
  withGlobals(command('protect <backup>', 'Keep a backup until it is released, whatever its retention says'))
    .option('--reason <text>', 'why: the record keeps it, with who and when')
    .addHelpText(
      'after',
      examples(["stillpoint protect latest -n shop --reason 'before the audit'", 'stillpoint protect 20261121020000']),
    )
    .action(handle((backup: string, options: ProtectCommandOptions) => handlers.protect(backup, options)));

  withGlobals(
    command(
      'release <backup>',
      'Let its retention decide again on a backup that is protected or was taken before a deployment',
    ),
  )
    .option('--reason <text>', 'why: the record keeps it, with who and when')
    .addHelpText('after', examples(['stillpoint release shop/orders-db/20261121020000']))
    .action(handle((backup: string, options: ProtectCommandOptions) => handlers.release(backup, options)));
}
