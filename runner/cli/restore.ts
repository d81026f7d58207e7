/** Going back to a backup: `restore`, and what its Job runs. */
import { Option } from 'commander';
import { TLS_MODES, type TlsMode } from '../../src/contract';
import type { ConfigOption } from './backup';
import type { Program } from './family';
import {
  examples,
  fromStore,
  type GlobalOptions,
  nameOption,
  type OutputOption,
  portArgument,
  timeout,
  withGlobals,
  withOutput,
} from './options';

export interface RestoreCommandOptions extends GlobalOptions, OutputOption {
  readonly claim?: readonly string[];
  readonly toNamespace?: string;
  readonly storageClass?: string;
  readonly size?: readonly string[];
  readonly directory?: string;
  readonly start?: boolean;
  readonly keep?: boolean;
  readonly resource?: string;
  readonly undo?: string;
  readonly image?: string;
  readonly inPlace?: boolean;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  /** Undefined: where the database answers. */
  readonly backupFirst?: boolean;
  readonly oneMember?: boolean;
  readonly despiteControllers?: boolean;
  readonly host?: string;
  readonly port?: number;
  readonly credentials?: string;
  readonly database?: string;
  readonly intoDatabase?: string;
  readonly checkFirst?: boolean;
  readonly intoOccupied?: boolean;
  readonly identity?: string;
  readonly from?: string;
  readonly user?: string;
  readonly passwordFile?: string;
  readonly identityFile?: string;
  readonly tls?: TlsMode;
  readonly caFile?: string;
  readonly timeout: number;
}

export interface PrepareCommandOptions extends GlobalOptions {
  readonly record?: string;
  readonly recordFile?: string;
  readonly volume: readonly string[];
  readonly inPlace?: boolean;
  readonly attach?: boolean;
  readonly result?: string;
}

export interface InspectCommandOptions {
  readonly scripts?: string;
  readonly passwordFile?: string;
  readonly recordFile: string;
  readonly socket: string;
  readonly timeout: number;
  readonly result?: string;
}

export interface RestoreHandlers {
  restore(backup: string | undefined, options: RestoreCommandOptions): Promise<string>;
  prepare(options: PrepareCommandOptions): Promise<string>;
  inspect(options: InspectCommandOptions): Promise<string>;
  restoreDump(options: ConfigOption): Promise<string>;
}

export function addRestoreCommands({ command, handle }: Program, handlers: RestoreHandlers): void {
  withOutput(
    withGlobals(
      command(
        'restore [backup]',
        'Make claims from a backup beside the original, or read a dump into a server; nothing is overwritten',
      ),
    ),
  )
    .option(
      '--claim <name...>',
      'the name of the new claim; with several volumes the beginning of their names, or volume=name for each',
    )
    .option('--to-namespace <namespace>', "where to make the claims; the backup's own namespace unless given")
    .option('--storage-class <class>', 'the storage class of the claims; as recorded unless given')
    .option('--size <quantity...>', 'the size of the claims, or volume=size for each; as recorded unless given')
    .option(
      '--directory <folder>',
      'restore a local backup into this new or empty folder; with --from the file that a new Redis takes',
    )
    .option('--start', 'start a throw-away server on the claims and compare its position with the record')
    .option('--keep', 'leave that server running')
    .addOption(
      nameOption(
        '--resource <name>',
        'make the custom resource that the record keeps (as Database of NuoDB) anew under this name, with a password of its own; --undo removes both',
      ),
    )
    .addOption(
      nameOption(
        '--undo <name>',
        'remove what the restore of this name has made, and nothing else; no backup is named',
      ),
    )
    .option('--in-place', "put the backup in the database's own place; its present volumes are kept")
    .option('-y, --yes', 'in place: do not ask')
    .option('--dry-run', 'in place: say what would be done, and do nothing')
    .option('--backup-first', 'in place: take no step without a backup of the present state')
    .option('--no-backup-first', 'in place: take no backup of the present state; it is kept all the same')
    .option('--one-member', 'in place: restore one member of a StatefulSet that has several')
    .option('--despite-controllers', 'in place: go on although something else may set the replicas')
    .option('--host <host>', 'a dump: the empty server that it goes into')
    .addOption(new Option('--port <port>', "a dump: of that server; the policy's unless given").argParser(portArgument))
    .option('--credentials <secret>', "a dump: the Secret with the login there; the policy's unless given")
    .option('--database <name>', 'a dump of all: take out this database alone')
    .option('--into-database <name>', 'a dump: the name under which one database comes back; its own unless given')
    .option('--check-first', 'a dump: read it to its end and compare it before the server gets a byte')
    .option('--into-occupied', 'a dump: restore into a server that holds something all the same')
    .option('--identity <secret>', 'a dump or a copy: the Secret with the identity that opens it, under key.txt')
    .addOption(fromStore())
    .option('--user <name>', 'with --from: the user who restores')
    .option('--password-file <file>', "with --from: a file with nothing but that user's password")
    .option('--identity-file <file>', 'with --from: the identity that opens an encrypted dump')
    .addOption(new Option('--tls <mode>', 'with --from: as libpq has it; no TLS unless given').choices(TLS_MODES))
    .option('--ca-file <file>', 'with --from: who has signed the certificate of the server')
    .option('--image <image>', "the runner's image for the Job that prepares the files; as recorded unless given")
    .addOption(timeout('30m'))
    .addHelpText(
      'after',
      examples([
        'stillpoint restore latest -n shop --claim orders-copy --start',
        'stillpoint restore shop/orders-db/20261121020000 --claim data=copy-data --claim log=copy-log --to-namespace staging',
        'stillpoint restore shop/orders-copy/latest --claim orders-back --identity orders-identity',
        'stillpoint restore --undo orders-copy -n shop',
        'stillpoint restore shop/orders-dump/latest --host orders-copy --credentials orders-copy-admin --check-first',
        'stillpoint restore shop/orders-dump/latest --host orders-db --database orders --into-database orders_of_monday',
        "stillpoint restore shop/orders-dump/latest --from 's3://backups/prod?region=eu-central-1' --host 10.0.0.7 --user postgres --password-file pw",
        'stillpoint restore shop/sessions-dump/latest --from gs://backups --directory /var/lib/redis',
        'stillpoint restore latest -n shop --in-place',
        'stillpoint restore --in-place --undo 20261121030000 -n shop',
      ]),
    )
    .action(handle((backup: string | undefined, options: RestoreCommandOptions) => handlers.restore(backup, options)));

  withGlobals(command('prepare', 'Make restored files fit to start: what the Job of a restore runs', { hidden: true }))
    .option('--record <name>', 'the name of the record in the registry')
    .option('--record-file <file>', 'the record itself')
    .requiredOption('--volume <name=path...>', 'where each volume is mounted')
    .option('--in-place', "the copy takes the original's place")
    .option('--attach', "let a copy that takes the original's place back into its world")
    .option('--result <file>', 'write the outcome there as JSON')
    .action(handle((options: PrepareCommandOptions) => handlers.prepare(options)));

  withGlobals(
    command('restore-dump', 'Restore a dump into an empty server: what the Job of a restore runs', { hidden: true }),
  )
    .requiredOption('--config <file>', 'which dump, and which server')
    .action(handle((options: ConfigOption) => handlers.restoreDump(options)));

  command('inspect', 'Look at a server on restored volumes: what runs beside it', { hidden: true })
    .requiredOption('--record-file <file>', 'the record')
    .requiredOption('--socket <folder>', "the folder of the server's socket")
    .option('--scripts <folder>', 'run these on it')
    .option('--password-file <file>', "the administrator's password from then on")
    .option('--result <file>', 'write the outcome there as JSON')
    .addOption(timeout('15m'))
    .action(handle((options: InspectCommandOptions) => handlers.inspect(options)));
}
