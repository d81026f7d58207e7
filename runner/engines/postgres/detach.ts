/**
 * Keeps a restored copy from reaching out to the original's world (safety rule 13): no replication, no archiving, no
 * subscriptions, no waiting for the original's standbys, no jobs. Pure text; prepare.ts writes it.
 */
import { knowsSetting } from './versions';

/** Every setting that is overridden in postgresql.auto.conf, which the server reads after all other files. */
const DETACHED: Readonly<Record<string, string>> = {
  // Archiving into the original's archive would overwrite it with another history.
  archive_mode: 'off',
  archive_command: '',
  archive_library: '',
  archive_cleanup_command: '',
  recovery_end_command: '',
  // Nothing is fetched: what the copy needs, it has.
  restore_command: 'false',
  primary_conninfo: '',
  primary_slot_name: '',
  recovery_target: '',
  recovery_target_lsn: '',
  recovery_target_name: '',
  recovery_target_time: '',
  recovery_target_xid: '',
  recovery_target_timeline: 'latest',
  // A delayed standby's copy would recover as late as the standby does.
  recovery_min_apply_delay: '0',
  // With it on, recovery stops where the copy's limits (max_connections, …) are lower than the original's were.
  hot_standby: 'off',
  // Subscriptions would take the original's changes away from it: their workers do not start.
  max_logical_replication_workers: '0',
  // A commit would wait for standbys that are not there.
  synchronous_standby_names: '',
};

/** Libraries whose background workers reach out, or run jobs, as soon as they are loaded. */
const REACHING_OUT = [
  'bdr',
  // A coordinator's copy would end transactions on the original's workers.
  'citus',
  'pg_cron',
  'pg_failover_slots',
  'pg_net',
  'pgautofailover',
  'pglogical',
  'repmgr',
  'spock',
];

const HEADING =
  '# Stillpoint: this copy is detached from the server that it was taken from. Remove these lines to attach it.';

/** What postgresql.auto.conf becomes. What it had is kept, except what is overridden. */
export function detachedConfiguration(existing: string, major: number, libraries: string | undefined): string {
  const settings = detachedSettings(major, libraries);
  const names = new Set(Object.keys(settings));
  const kept = existing.split('\n').filter((line) => line !== HEADING && line !== '' && !names.has(settingOf(line)));
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'`);
  return [...kept, HEADING, ...lines, ''].join('\n');
}

function detachedSettings(major: number, libraries: string | undefined): Readonly<Record<string, string>> {
  const known = Object.entries(DETACHED).filter(([name]) => knowsSetting(major, name));
  const quiet = quietLibraries(libraries ?? '');
  return {
    ...Object.fromEntries(known),
    ...(quiet === (libraries ?? '') ? {} : { shared_preload_libraries: quiet }),
  };
}

/** The preloaded libraries without those that reach out. */
export function quietLibraries(libraries: string): string {
  const list = libraries.split(',').map((name) => name.trim());
  const quiet = list.filter((name) => !REACHING_OUT.includes(bareName(name)));
  return quiet.length === list.length ? libraries : quiet.join(', ');
}

/** `pg_cron` of `"$libdir/pg_cron.so"`: the server takes all of them. */
function bareName(library: string): string {
  return library.replaceAll('"', '').replace(/^.*\//, '').replace(/\.so$/, '');
}

/** The settings that a server started with the original's arguments would have again, in spite of the files. */
export function undetachedArguments(commandLine: string | undefined): readonly string[] {
  const names = (commandLine ?? '').split(',').filter((name) => name !== '');
  return names.filter((name) => name in DETACHED || name === 'shared_preload_libraries');
}

function settingOf(line: string): string {
  return line.split('=')[0]?.trim().toLowerCase() ?? '';
}
