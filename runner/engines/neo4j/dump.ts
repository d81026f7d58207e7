/**
 * neo4j-admin on the files of a server that does not run: what it is told, by version. Pure. [tried: Community 4.4.44, 5.26.30 and
 * 2025.01.0; doc: Operations Manual, Back up an offline database]
 */
import { join } from 'node:path';
import { StillpointError } from '../../errors';
import type { EngineDump, StoredDatabase, ToolCommand } from '../../tools/tool';
import { dumpOf } from './dump-head';
import { type AdminVersion, isAtLeast } from './enterprise/admin-version';
import { SETTINGS_FOLDER } from './settings';
import { factsIn, foldersOf, occupied, prepareFiles } from './stored-files';

const PROGRAM = 'neo4j-admin';

/** The tool's version; undefined of what is no version, or of one whose lines are not known. */
export function versionIn(says: string): AdminVersion | undefined {
  const [, major, minor] = /(?:^|\s)(\d+)\.(\d+)/.exec(says) ?? [];
  if (major === undefined) return undefined;
  const version = { major: Number(major), minor: Number(minor) };
  return isAtLeast(version, 5, 0) || (version.major === 4 && version.minor === 4) ? version : undefined;
}

/** Whether settings and commands have the names that they were given with 5. */
export function isModern(says: string): boolean {
  const version = versionIn(says);
  if (version !== undefined) return isAtLeast(version, 5, 0);
  throw new StillpointError('tool-version', unknown(says));
}

const unknown = (says: string): string => `neo4j-admin says "${says.trim()}", and 4.4 and 5 or later are known`;

/** Stars would be patterns, and a hyphen in front an option. Folders have the name in lower case. [doc: Operations Manual, Administrative commands] */
export function nameOf(database: string): string {
  if (/^[a-z][a-z0-9.-]{2,62}$/.test(database)) return database;
  throw new StillpointError('config-invalid', `"${database}" is no name of a Neo4j database`, {
    hint: 'a name has 3 to 63 small letters, digits, dots and hyphens, and begins with a letter',
  });
}

const settingsOf = (directory: string): string => join(directory, SETTINGS_FOLDER);

const reportsOf = (directory: string): string => join(settingsOf(directory), 'logs');

/** With the settings that {@link prepareFiles} has written, and none of the image's. */
function command(
  program: string,
  directory: string,
  args: readonly string[],
  words?: ToolCommand['words'],
): ToolCommand {
  return {
    program,
    args: () => args,
    env: { NEO4J_CONF: settingsOf(directory) },
    files: {},
    secrets: [],
    ...(words === undefined ? {} : { words }),
  };
}

/** Nobody has a use for each per cent of its progress, nor for the offer to be told more. */
export function withoutProgress(stderr: string): string {
  return stderr
    .split(/[\r\n]+/)
    .filter((line) => !/^(Files: \d|Done: \d|Run with '--verbose'|\.+ +\d+%)/.test(line.trim()))
    .join('\n');
}

export function dumpLine({ directory, database, toolSays }: StoredDatabase): ToolCommand {
  const name = nameOf(database);
  const args = isModern(toolSays)
    ? ['database', 'dump', '--to-stdout', name]
    : ['dump', `--database=${name}`, '--to=-'];
  return { ...command(PROGRAM, directory, args, withoutProgress), refine: dumpOf };
}

/** Into a folder that nobody has seen yet: what an earlier attempt has left there is replaced. */
export function loadLine({ directory, database, toolSays }: StoredDatabase): ToolCommand {
  const name = nameOf(database);
  const args = isModern(toolSays)
    ? ['database', 'load', '--from-stdin', '--overwrite-destination=true', name]
    : ['load', `--database=${name}`, '--from=-', '--force'];
  return command(PROGRAM, directory, args, withoutProgress);
}

export function lookLine({ directory, database, toolSays }: StoredDatabase): ToolCommand {
  const name = nameOf(database);
  const args = isModern(toolSays)
    ? ['database', 'info', '--format=json', name]
    : ['store-info', '--structured', join(directory, 'databases', name)];
  return command(PROGRAM, directory, args, withoutProgress);
}

export function checkLine({ directory, database, toolSays }: StoredDatabase): ToolCommand {
  const name = nameOf(database);
  const args = isModern(toolSays)
    ? // Of what is free: nine tenths, its own measure, leave the container nothing for the rest of it.
      ['database', 'check', `--report-path=${reportsOf(directory)}`, '--max-off-heap-memory=30%', name]
    : ['check-consistency', `--database=${name}`, `--report-dir=${reportsOf(directory)}`];
  return command(PROGRAM, directory, args, withoutProgress);
}

function needed(what: { readonly [name in keyof StoredDatabase]?: string | undefined }): StoredDatabase {
  const { directory, database, toolSays } = what;
  if (directory !== undefined && database !== undefined && toolSays !== undefined) {
    return { directory, database, toolSays };
  }
  throw new StillpointError('config-invalid', 'neo4j-admin reads the files of one database, and none are named', {
    hint: 'a policy of dumps of Neo4j names the volume that the files lie on, and the database',
  });
}

export const dump: EngineDump = {
  extension: 'dump',

  versionOf: () => ({ program: PROGRAM, args: ['--version'] }),

  unfit: (toolSays) => (versionIn(toolSays) === undefined ? unknown(toolSays) : undefined),

  dump: (_target, what) => dumpLine(needed(what)),

  reader: { program: PROGRAM, args: ['--version'], weakness: () => undefined },

  restore: (_target, { directory, database, readerSays }) =>
    loadLine(needed({ directory, database, toolSays: readerSays })),

  files: {
    prepare: ({ directory, toolSays }) => prepareFiles(directory, isModern(toolSays)),
    look: lookLine,
    facts: factsIn,
    complete: ({ directory }) => ({ command: command('neo4j', directory, ['console']), done: 'Started.' }),
    check: checkLine,
    occupied,
    foldersOf,
  },
};
