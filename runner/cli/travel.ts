/** Backups on their way between clusters: `export`, `import`, `keygen`. */
import { Option } from 'commander';
import { ENGINE_NAMES, type EngineName } from '../../src/contract';
import { EXPORT_FORMATS, type ExportFormat } from '../travel/document';
import type { Program } from './family';
import {
  examples,
  fromStore,
  type GlobalOptions,
  type OutputOption,
  timeout,
  withGlobals,
  withOutput,
} from './options';

export interface ExportCommandOptions extends GlobalOptions {
  readonly output: ExportFormat;
  readonly file?: string;
  readonly signKey?: string;
}

export interface ImportCommandOptions extends GlobalOptions, OutputOption {
  readonly verifyKey?: string;
  readonly database?: string;
  readonly class?: string;
  readonly image?: string;
  readonly serverImage?: string;
  readonly handle?: readonly string[];
  readonly driver?: string;
  readonly engine?: EngineName;
  readonly size?: readonly string[];
  readonly mountPath?: string;
  readonly volume: string;
  readonly id?: string;
  readonly resourceFile?: string;
  readonly path?: string;
  readonly passwordFile?: string;
  readonly timeout: number;
  readonly from?: string;
  readonly all?: boolean;
}

export interface KeygenCommandOptions {
  readonly file: string;
}

export interface TravelHandlers {
  export(backup: string, options: ExportCommandOptions): Promise<string>;
  import(what: string | undefined, options: ImportCommandOptions): Promise<string>;
  keygen(options: KeygenCommandOptions): Promise<string>;
}

export function addTravelCommands({ command, handle }: Program, handlers: TravelHandlers): void {
  withGlobals(
    command('export <backup>', 'Write a backup down for another cluster: its record, and the names of its snapshots'),
  )
    .addOption(new Option('-o, --output <format>', 'how to write it').choices(EXPORT_FORMATS).default('yaml'))
    .option('-f, --file <file>', 'write it into this file, which must not exist; to the standard output unless given')
    .option('--sign-key <file>', 'sign it with this private key: Ed25519, in PEM')
    .addHelpText(
      'after',
      `\nThe snapshots stay where they are: the other cluster needs the same driver on the same storage.\n${examples([
        'stillpoint export latest -n shop --file orders.yaml --sign-key stillpoint.key',
        'stillpoint export shop/orders-db/20261121020000 | ssh other stillpoint import - -n shop',
        'stillpoint export latest -n shop -o json',
      ])}`,
    )
    .action(handle((backup: string, options: ExportCommandOptions) => handlers.export(backup, options)));

  withOutput(
    withGlobals(
      command('import [file]', 'Register backups of another cluster, or a snapshot that only the storage knows'),
    ),
  )
    .addOption(fromStore('the backup of that name, instead of a file, by its record in this store'))
    .option('--all', 'with --from: all that the store has, each into its own namespace')
    .option('--verify-key <file>', 'refuse it unless it was signed with this key: Ed25519, in PEM')
    .option('--database <name>', 'the name of the database here; as exported unless given')
    .option('--class <name>', "the VolumeSnapshotClass; the driver's default, or its only one, unless given")
    .option('--image <image>', "the runner's image that prepares restores; taken from a file only with --verify-key")
    .option(
      '--server-image <image>',
      "the server's image that restores start; taken from a file only with --verify-key",
    )
    .option(
      '--handle <handle...>',
      'import a snapshot by the name that the storage has for it; of NuoDB the pair: archive=<handle> journal=<handle>',
    )
    .option('--driver <driver>', 'the CSI driver of that handle')
    .addOption(new Option('--engine <engine>', 'the database that is on that snapshot').choices(ENGINE_NAMES))
    .option('--mount-path <path>', 'where its server had the volume mounted')
    .option(
      '--size <quantity...>',
      'how large a claim it needs, or volume=size for each; as the storage says unless given',
    )
    .option('--volume <name>', 'what the volume is called', 'data')
    .option(
      '--id <id>',
      'by handles: what the backup is called, yyyyMMddHHmmss; the last part of --path, else the time',
    )
    .option(
      '--resource-file <file>',
      'by handles: the custom resource that the database was made from (as Database of NuoDB), as kubectl get -o yaml writes it',
    )
    .option(
      '--path <path>',
      'by handles: what its control plane calls the backup, /backups/<organization>/<project>/<database>/<name>',
    )
    .option(
      '--password-file <file>',
      "by handles: a file with nothing but the administrator's password, which is kept in a Secret beside the record",
    )
    .addOption(timeout('2m'))
    .addHelpText(
      'after',
      `\nOf a dump the file is the record.yaml that lies beside it in its store.\n${examples([
        'stillpoint import orders.yaml -n shop --verify-key stillpoint.key.pub',
        'stillpoint import shop/orders-db/latest --from s3://backups/prod --verify-key stillpoint.key.pub',
        'stillpoint import --all --from s3://backups/prod',
        'stillpoint import -n shop --handle snap-0a1b2c --driver ebs.csi.aws.com --database orders-db --engine postgres --mount-path /var/lib/postgresql/data',
        'stillpoint import -n nuodb --engine nuodb --database demo --driver ebs.csi.aws.com --handle archive=snap-0a journal=snap-0b --resource-file demo.yaml --path /backups/acme/messaging/demo/20241004095616',
      ])}`,
    )
    .action(handle((what: string | undefined, options: ImportCommandOptions) => handlers.import(what, options)));

  command('keygen', 'Make a pair of keys for export and import: Ed25519, in PEM')
    .requiredOption('-f, --file <file>', 'where to write the private key; the public one goes beside it, as <file>.pub')
    .addHelpText('after', examples(['stillpoint keygen --file stillpoint.key']))
    .action(handle((options: KeygenCommandOptions) => handlers.keygen(options)));
}
