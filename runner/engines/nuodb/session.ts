/** What stands for a session: the backup hooks keep no connection, and know a backup by its id. */
import { isIP } from 'node:net';
import { lookLimit } from '../../endpoint';
import type { EngineSession, Plan, PlanRequest, Server, ServerPath, Target } from '../../engine';
import type { Finding, Log } from '../../ports';
import { checkRequest } from './checks';
import { type FreezeMode, modeOfPod } from './freeze-mode';
import { BackupHooks } from './hooks';
import { planBackup } from './plan';
import { ARCHIVE, JOURNAL } from './volumes';

export async function openSession(target: Target, log: Log, signal: AbortSignal): Promise<NuoDbSession> {
  const { host, port } = target.connection;
  const hooks = new BackupHooks(host, port);
  using limit = lookLimit(target, 'asking the backup hooks');
  const current = await hooks.current(AbortSignal.any([signal, limit.signal]));
  log.info({ hooks: hooks.where }, 'the backup hooks answer');
  return new NuoDbSession(hooks, serverOf(host, target.labels), current, modeOfPod(target.environment));
}

/** The hooks say nothing of their server: what is known of it are the labels of its pod. */
function serverOf(host: string, labels: Target['labels'] = {}): Server {
  const kept = ['database', 'domain', 'release'].flatMap((name) => {
    const value = labels[name];
    return value === undefined ? [] : [[name, value]];
  });
  return {
    address: isIP(host) === 0 ? undefined : host,
    version: '',
    identity: Object.fromEntries(kept),
    settings: {},
  };
}

export class NuoDbSession implements EngineSession {
  /** There is no connection that could be lost: that it holds is asked before the first cut and after the last. */
  readonly lost = new AbortController().signal;

  constructor(
    readonly hooks: BackupHooks,
    readonly server: Server,
    /** The backup that was at work when it was opened. */
    readonly current: string | undefined,
    /** How the hooks make the archive stand still, as the manifest of their pod has it. */
    readonly mode: FreezeMode | undefined,
  ) {}

  /** A journal that shares the archive's volume lies within the archive. */
  async paths(mountPaths: readonly string[]): Promise<readonly ServerPath[]> {
    const [archive, journal] = [ARCHIVE, JOURNAL].map(({ name, role, mountPath }): ServerPath => {
      return { role, what: name, path: mountPath };
    });
    return [archive, mountPaths.includes(JOURNAL.mountPath) ? journal : undefined].filter((path) => path !== undefined);
  }

  async check(request: PlanRequest): Promise<readonly Finding[]> {
    return checkRequest(request, { current: this.current, where: this.hooks.where, mode: this.mode });
  }

  plan(request: PlanRequest): Plan {
    return planBackup(this, request);
  }

  /** Another storage manager may be the ready one of the lowest ordinal by now: the pod itself is looked at again. */
  async whoAnswers(): Promise<Readonly<Record<string, string>>> {
    return {};
  }

  async close(): Promise<void> {}
}
