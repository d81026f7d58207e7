/** What stays whatever a retention says: `protect`, `release`. */
import type { Program } from './family';
import { examples, type GlobalOptions, type OutputOption, withGlobals, withOutput, withSelector } from './options';

export interface ProtectCommandOptions extends GlobalOptions, OutputOption {
  readonly selector?: string;
  readonly reason?: string;
}

export interface RetentionHandlers {
  protect(backups: readonly string[], options: ProtectCommandOptions): Promise<string>;
  release(backups: readonly string[], options: ProtectCommandOptions): Promise<string>;
}

export function addRetentionCommands({ command, handle }: Program, handlers: RetentionHandlers): void {
  withSelector(
    withOutput(
      withGlobals(
        command('protect [backup...]', 'Keep backups until they are released, whatever their retention says'),
      ),
    ),
    'protect all whose records have these labels, instead of by name',
  )
    .option('--reason <text>', 'why: the record keeps it, with who and when')
    .addHelpText(
      'after',
      examples(["stillpoint protect latest -n shop --reason 'before the audit'", 'stillpoint protect 20261121020000']),
    )
    .action(handle((backups: readonly string[], options: ProtectCommandOptions) => handlers.protect(backups, options)));

  withSelector(
    withOutput(
      withGlobals(
        command(
          'release [backup...]',
          'Let their retention decide again on backups that are protected or were taken before a deployment',
        ),
      ),
    ),
    'release all whose records have these labels, instead of by name',
  )
    .option('--reason <text>', 'why: the record keeps it, with who and when')
    .addHelpText(
      'after',
      examples([
        'stillpoint release shop/orders-db/20261121020000',
        'stillpoint release -n shop -l stillpoint.dev/revision=v1.4.0 -o name',
      ]),
    )
    .action(handle((backups: readonly string[], options: ProtectCommandOptions) => handlers.release(backups, options)));
}
