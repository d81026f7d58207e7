/**
 * The settings that a backup changes while it is at work, and how they go back. They outlive the session, so they stand in the
 * record first, and whoever puts them back leaves alone what others have set meanwhile.
 */
import type { Held } from '../../../src/contract';
import { refuseChanged } from '../../changed-facts';
import type { Reply } from './connection';
import { fieldsOf } from './replies';

/** What each is while a backup is at work. */
export const OURS = {
  /** No rewrite begins by itself: what it writes would lengthen the freeze. */
  'auto-aof-rewrite-percentage': '0',
  /** Else nothing is synced while a child of the server is at work. */
  'no-appendfsync-on-rewrite': 'no',
  /** Only for the moment in which the append-only file is synced under the pause. */
  appendfsync: 'always',
} as const;

/** One command and its answer. */
export type Ask = (what: string, args: readonly string[]) => Promise<Reply>;

const PREFIX = 'config.';

/** Which run of the server they were changed in: what was set in one that has ended has ended with it. */
export const RUN = 'run_id';

/**
 * Whom the server replicated from. Sentinels that make it a master or a replica have it write its configuration file, with
 * whatever is set at that moment: then it has to be written once more.
 */
const REPLICA_OF = 'replicaof';

/** What has to go back afterwards, as the record has it: the settings that are not ours already, as they are now. */
export function undoOf(settings: Readonly<Record<string, string>>, runId: string, withSentinels = false): Held['undo'] {
  const before = Object.fromEntries(
    Object.entries(OURS).flatMap(([name, ours]) => {
      const was = settings[name];
      return was === undefined || was === ours ? [] : [[`${PREFIX}${name}`, was]];
    }),
  );
  if (Object.keys(before).length === 0) return {};
  const rewritten = withSentinels && (settings.config_file ?? '') !== '';
  return { ...before, [RUN]: runId, ...(rewritten ? { [REPLICA_OF]: settings.replicaof ?? '' } : {}) };
}

/** The settings that an undo map names, as they were. */
export function settingsBefore(undo: Held['undo']): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(undo).flatMap(([key, was]) => (key.startsWith(PREFIX) ? [[key.slice(PREFIX.length), was]] : [])),
  );
}

/**
 * What is read when a session opens is what goes back in the end, so it has to be so until it is changed. Throws freeze-failed where
 * it is not: another backup was at work, whose settings would be taken for the server's own.
 */
export async function assertUnchanged(ask: Ask, settings: Readonly<Record<string, string>>): Promise<void> {
  const names = Object.keys(OURS).filter((name) => settings[name] !== undefined);
  if (names.length === 0) return;
  const now = fieldsOf(await ask('reading settings of the server', ['CONFIG', 'GET', ...names]));
  const before = Object.fromEntries(names.map((name) => [name, settings[name] ?? '']));
  refuseChanged(before, now, {
    code: 'freeze-failed',
    what: 'the server',
    hint: 'another backup of this server has ended meanwhile, or somebody has set it: run the backup again',
  });
}

/** Those that are as a backup sets them, still: with what they were. */
export async function stillOurs(ask: Ask, undo: Held['undo']): Promise<Readonly<Record<string, string>>> {
  const before = settingsBefore(undo);
  const names = Object.keys(before);
  if (names.length === 0) return {};
  const now = fieldsOf(await ask('reading settings of the server', ['CONFIG', 'GET', ...names]));
  return Object.fromEntries(Object.entries(before).filter(([name]) => now[name] === OURS[name as keyof typeof OURS]));
}

/** Puts back what is still ours; answers in words what it did. */
export async function putBack(ask: Ask, undo: Held['undo']): Promise<readonly string[]> {
  const ours = await stillOurs(ask, undo);
  const names = Object.keys(ours);
  await change(ask, ours);
  const done = names.map((name) => `${name} is ${ours[name]} again`);
  return (await rewriteAfterFailover(ask, undo)) ? [...done, 'so it is in its configuration file'] : done;
}

async function rewriteAfterFailover(ask: Ask, undo: Held['undo']): Promise<boolean> {
  const before = undo[REPLICA_OF];
  if (before === undefined) return false;
  const now = fieldsOf(await ask('reading settings of the server', ['CONFIG', 'GET', REPLICA_OF]));
  if (now[REPLICA_OF] === before) return false;
  await ask('writing the configuration file anew, as sentinels had it written meanwhile', ['CONFIG', 'REWRITE']);
  return true;
}

/** Changes settings: all of them, or none. */
export async function change(ask: Ask, settings: Readonly<Record<string, string>>): Promise<void> {
  const pairs = Object.entries(settings);
  if (pairs.length === 0) return;
  await ask(`setting ${pairs.map(([name]) => name).join(', ')}`, ['CONFIG', 'SET', ...pairs.flat()]);
}
