/** `switch`: an alias of a database server moved to another database, and back. */
import { Option } from 'commander';
import { TLS_MODES, type TlsMode } from '../../src/contract';
import type { Program } from './family';
import { examples, nameOption, type OutputOption, portArgument, timeout, withOutput } from './options';

export interface SwitchCommandOptions extends OutputOption {
  readonly back?: boolean;
  readonly toDatabase?: string;
  readonly host: string;
  readonly port?: number;
  readonly user: string;
  readonly passwordFile?: string;
  readonly tls?: TlsMode;
  readonly caFile?: string;
  readonly timeout: number;
}

export interface SwitchHandlers {
  switch(alias: string, options: SwitchCommandOptions): Promise<string>;
}

export function addSwitchCommand({ command, handle }: Program, handlers: SwitchHandlers): void {
  withOutput(
    command(
      'switch <alias>',
      'Move an alias of Neo4j to another database, or back to where the last switch took it from',
    ),
  )
    .option('--back', 'to what it pointed to before the last switch, unless somebody has moved it since')
    .addOption(nameOption('--to-database <name>', 'to this database, which has to be online'))
    .requiredOption('--host <host>', 'the server, or a member of its cluster')
    .addOption(new Option('--port <port>', 'of that server; 7687 unless given').argParser(portArgument))
    .requiredOption('--user <name>', 'a user who may alter aliases')
    .option('--password-file <file>', "a file with nothing but that user's password")
    .addOption(new Option('--tls <mode>', 'as libpq has it; no TLS unless given').choices(TLS_MODES))
    .option('--ca-file <file>', 'who has signed the certificate of the server')
    .addOption(timeout('1m'))
    .addHelpText(
      'after',
      examples([
        'stillpoint switch customer1 --back --host 127.0.0.1 --user neo4j --password-file pw',
        'stillpoint switch customer1 --to-database customer1-1767741527 --host 127.0.0.1 --user neo4j --password-file pw',
      ]),
    )
    .action(handle((alias: string, options: SwitchCommandOptions) => handlers.switch(alias, options)));
}
