/** Running copies beside the original: `clone`. */
import type { Program } from './family';
import {
  examples,
  type GlobalOptions,
  nameOption,
  type OutputOption,
  timeout,
  withGlobals,
  withOutput,
} from './options';

export interface CloneCommandOptions extends GlobalOptions, OutputOption {
  readonly to?: string;
  readonly toNamespace?: string;
  readonly workload?: boolean;
  readonly scripts?: string;
  readonly replace?: boolean;
  readonly storageClass?: string;
  readonly size?: readonly string[];
  readonly image?: string;
  readonly resource?: string;
  readonly undo?: string;
  readonly list?: boolean;
  readonly timeout: number;
}

export interface CloneHandlers {
  clone(backup: string | undefined, options: CloneCommandOptions): Promise<string>;
}

export function addCloneCommands({ command, handle }: Program, handlers: CloneHandlers): void {
  withOutput(
    withGlobals(command('clone [backup]', 'Make a copy of a database beside it, with nothing in common but the data')),
  )
    .option('--to <name>', 'the name of the clone')
    .option('--to-namespace <namespace>', "where to make it; the backup's own namespace unless given")
    .option('--workload', 'run a server on it: a StatefulSet of its own, with a login of its own and no way out')
    .option(
      '--scripts <configmap>',
      'a ConfigMap there, whose entries run on the copy before anybody reaches it; if one fails, nobody does',
    )
    .option('--replace', 'make it under another name each time, and remove the ones before when it is ready')
    .option('--storage-class <class>', 'the storage class of the claims; as recorded unless given')
    .option('--size <quantity...>', 'the size of the claims, or volume=size for each; as recorded unless given')
    .option('--image <image>', "the runner's image for the Job that prepares the files; as recorded unless given")
    .addOption(
      nameOption(
        '--resource <name>',
        'make the custom resource that the record keeps (as Database of NuoDB) anew under this name, with a password of its own; --undo removes both',
      ),
    )
    .addOption(nameOption('--undo <name>', 'remove the clone of this name, and nothing else; no backup is named'))
    .option('--list', 'list the clones that there are')
    .addOption(timeout('30m'))
    .addHelpText(
      'after',
      `\n<policy>/now takes a backup first, and clones that. -n is the namespace of the database, as everywhere; where the clone
goes is said by --to-namespace.\n${examples([
        'stillpoint clone orders-db/latest -n shop --to orders-copy --workload',
        'stillpoint clone orders-db/now -n shop --to staging --to-namespace staging --workload --scripts masking --replace',
        'stillpoint clone messaging/demo/latest --to demo-copy --resource acme-messaging-copy',
        'stillpoint clone --list -A',
        'stillpoint clone --undo orders-copy -n shop',
      ])}`,
    )
    .action(handle((backup: string | undefined, options: CloneCommandOptions) => handlers.clone(backup, options)));
}
