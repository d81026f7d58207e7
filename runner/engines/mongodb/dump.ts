/**
 * mongodump and mongorestore, of MongoDB's Database Tools 100. Pure; from the vendor's documentation and sources: the tools
 * themselves were never run here.
 */
import type { Target } from '../../engine';
import type { EngineDump, ToolCommand } from '../../tools/tool';
import { archiveOf } from './archive';
import { destination } from './destination';
import { partOf } from './dump-part';

const LOGIN_FILE = 'login.yaml';

/** The password in the tools' own file for it, as YAML: JSON is YAML. Arguments can be read by everybody on the node. */
function login({ username, password, tls }: Target): Pick<ToolCommand, 'env' | 'files' | 'secrets'> {
  const pem = [tls?.cert, tls?.key].filter((part) => part !== undefined);
  return {
    env: {},
    files: {
      ...(username === '' || password === undefined ? {} : { [LOGIN_FILE]: `password: ${JSON.stringify(password)}\n` }),
      ...(tls?.ca === undefined ? {} : { 'ca.crt': tls.ca }),
      ...(pem.length === 0 ? {} : { 'client.pem': `${pem.join('\n')}\n` }),
    },
    secrets: password === undefined ? [] : [password],
  };
}

function address(target: Target, files: ToolCommand['files'], folder: string): readonly string[] {
  const { connection, username } = target;
  return [
    ...(Object.hasOwn(files, LOGIN_FILE) ? [`--config=${folder}/${LOGIN_FILE}`] : []),
    `--host=${connection.host}`,
    `--port=${connection.port}`,
    ...(username === ''
      ? []
      : [`--username=${username}`, `--authenticationDatabase=${connection.database ?? 'admin'}`]),
    ...tlsOptions(target, files, folder),
  ];
}

/** The tools check the certificate and its name, or neither: verify-ca is as strict as verify-full. */
function tlsOptions({ tls }: Target, files: ToolCommand['files'], folder: string): readonly string[] {
  if (tls === undefined || tls.mode === 'disable') return [];
  return [
    '--ssl',
    ...(tls.mode === 'require' ? ['--tlsInsecure'] : []),
    ...(Object.hasOwn(files, 'ca.crt') ? [`--sslCAFile=${folder}/ca.crt`] : []),
    ...(Object.hasOwn(files, 'client.pem') ? [`--sslPEMKeyFile=${folder}/client.pem`] : []),
  ];
}

/** A name within a pattern of namespaces, where stars and dollars mean something. */
const literal = (name: string): string => name.replaceAll(/[\\*$]/g, '\\$&');

/** What is taken out of a dump, and under what name it goes in. */
function namespaces(database: string | undefined, outOf: string | undefined): readonly string[] {
  if (outOf !== undefined) {
    const into = database ?? outOf;
    const only = `--nsInclude=${literal(outOf)}.*`;
    return into === outOf ? [only] : [only, `--nsFrom=${literal(outOf)}.*`, `--nsTo=${literal(into)}.*`];
  }
  // Whatever the one database of the dump was called.
  return database === undefined ? [] : ['--nsFrom=$db$.$collection$', `--nsTo=${literal(database)}.$collection$`];
}

export const dump: EngineDump = {
  extension: 'archive',
  partOf,

  versionOf: () => ({ program: 'mongodump', args: ['--version'] }),

  unfit(toolSays) {
    const [, version, major] = /^mongodump version: (\D?(\d+)\.\d+\.\d+)/.exec(toolSays) ?? [];
    if (version === undefined) return `"${toolSays.trim()}" is not what mongodump says of itself`;
    return Number(major) < 100 ? `the tool is of ${version}: the Database Tools 100 are needed` : undefined;
  },

  dump(target, { database, position }) {
    const how = login(target);
    return {
      ...how,
      program: 'mongodump',
      args: (folder) => [
        ...address(target, how.files, folder),
        '--archive',
        // What is written meanwhile: without it the collections are of different moments. Of a replica set, and of all of it.
        ...(position === true && database === undefined ? ['--oplog'] : []),
        ...(database === undefined ? [] : [`--db=${database}`]),
      ],
      refine: archiveOf,
    };
  },

  restore(target, { database, outOf, position }) {
    const how = login(target);
    return {
      ...how,
      program: 'mongorestore',
      args: (folder) => [
        ...address(target, how.files, folder),
        '--archive',
        '--stopOnError',
        // The tool replays what belongs to all databases, or nothing.
        ...(position === true && database === undefined && outOf === undefined ? ['--oplogReplay'] : []),
        ...namespaces(database, outOf),
      ],
    };
  },

  destination,
};
