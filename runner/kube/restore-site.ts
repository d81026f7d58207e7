/** Restores into claims of a Kubernetes namespace. */
import { restoreNames } from '../../src/contract';
import { timeLimit } from '../abort';
import type { PreparedFiles, ServerCommand } from '../engine';
import { StillpointError } from '../errors';
import type { Clock, Finding } from '../ports';
import { type PlannedVolume, type RestorePlan, wholeOf } from '../restore/plan';
import type { Opening, RestoreSite, StartedServer, UndoneRestore } from '../restore/site';
import { SNAPSHOT_CONTENTS, VOLUME_SNAPSHOTS } from '../snapshots/objects';
import type { KubeClient } from './client';
import { isAlreadyThere } from './errors';
import { CLAIMS, type Claim, CONFIG_MAPS, type ConfigMap, JOBS, type Job, PODS, type Pod } from './objects';
import type { KubeObject, Resource } from './resource';
import { untilBound } from './restore/binding';
import { checkClasses, checkNames, checkNamespace, rehearse, undoCommand } from './restore/checks';
import { newJournal, preparedEntry, preparedFiles } from './restore/journal';
import { isOwn } from './restore/labels';
import { prepareJob, SERVER_CONTAINER, serverPod } from './restore/pods';
import { untilImported, untilInspected, untilPrepared } from './restore/runs';
import { findSource } from './restore/source';
import { findAllOf, findRestore, nameOfFound, remove, undoRestore } from './restore/undo';
import { claimOf, contentOf, snapshotOf } from './restore/volumes';
import type { Waiting } from './until';

/** How long objects may take to go once they have been deleted. */
const REMOVAL_SECONDS = 120;

/** What the site needs of the world. */
export interface RestoreSiteContext {
  readonly client: KubeClient;
  readonly clock: Clock;
  /** How long a started server may take until it accepts connections. */
  readonly inspectSeconds: number;
  /** Tells a person what the storage complains of while it is waited for. */
  readonly warn: (line: string) => void;
}

export class KubernetesRestoreSite implements RestoreSite {
  readonly #client: KubeClient;
  readonly #clock: Clock;
  readonly #inspectSeconds: number;
  readonly #warn: (line: string) => void;

  constructor({ client, clock, inspectSeconds, warn }: RestoreSiteContext) {
    this.#warn = warn;
    this.#client = client;
    this.#clock = clock;
    this.#inspectSeconds = inspectSeconds;
  }

  async check(plan: RestorePlan, signal: AbortSignal): Promise<readonly Finding[]> {
    await checkNamespace(this.#client, plan, signal);
    const journal = await checkNames(this.#client, plan, signal);
    await checkClasses(this.#client, plan, signal);
    await rehearse(this.#client, plan, signal);
    return [...(journal === undefined ? [] : [unfinished(plan, journal)]), ...plan.volumes.flatMap(unknownDriver)];
  }

  async makeVolumes(plan: RestorePlan, signal: AbortSignal): Promise<void> {
    // The journal is the first object of a restore and the last that goes: as long as it is there, the restore is not done.
    await this.#ensure(CONFIG_MAPS, newJournal(plan), plan, signal);
    await Promise.all(
      plan.volumes.map(async (volume) => {
        await untilBound(this.#waiting(signal), await this.#volumeStep(plan, volume, signal));
      }),
    );
  }

  async prepare(plan: RestorePlan, signal: AbortSignal): Promise<PreparedFiles> {
    const journal = { name: restoreNames(plan.name).journal, namespace: plan.namespace };
    const earlier = await this.#client.get(CONFIG_MAPS, journal, signal);
    const done = earlier === undefined ? undefined : preparedFiles(earlier);
    if (done !== undefined) return done;
    const job = await this.#startJob(plan, signal);
    const prepared = await untilPrepared(this.#waiting(signal), job);
    // From here on a server may have changed the files: they must never be prepared again.
    await this.#client.patch(CONFIG_MAPS, journal, preparedEntry(prepared), signal);
    await this.#removing((removal) => remove(removal, { kind: JOBS, object: job }));
    return prepared;
  }

  async start(
    plan: RestorePlan,
    prepared: PreparedFiles,
    server: ServerCommand,
    signal: AbortSignal,
    opening: Opening = {},
  ): Promise<StartedServer> {
    // One that an earlier run has left may hang half-started.
    await this.stop(plan);
    const pod = await this.#ensure(
      PODS,
      serverPod(plan, prepared, server, { ...opening, inspectSeconds: this.#inspectSeconds }),
      plan,
      signal,
    );
    const inspection = await untilInspected(this.#waiting(signal), pod);
    return { inspection, reach: waysTo(pod, server) };
  }

  async stop(plan: RestorePlan): Promise<void> {
    const pod = await this.#client.get(PODS, { name: restoreNames(plan.name).server, namespace: plan.namespace });
    if (pod === undefined || !isOwn(pod, plan)) return;
    await this.#removing((removal) => remove(removal, { kind: PODS, object: pod }));
  }

  async finish(plan: RestorePlan): Promise<void> {
    const found = await findRestore(this.#client, plan.namespace, wholeOf(plan));
    for (const each of found) {
      if (each.kind.kind === CLAIMS.kind || each.kind.kind === PODS.kind) continue;
      await this.#removing((removal) => remove(removal, each));
    }
  }

  async list(namespace: string, name: string): Promise<readonly string[]> {
    return (await findAllOf(this.#client, namespace, name)).map(nameOfFound);
  }

  undoCommand(plan: RestorePlan): string {
    return undoCommand(plan);
  }

  undo(namespace: string, name: string): Promise<UndoneRestore> {
    return this.#removing((removal) => undoRestore(removal, namespace, name));
  }

  async #volumeStep(plan: RestorePlan, volume: PlannedVolume, signal: AbortSignal): Promise<Claim> {
    const there = await this.#client.get(CLAIMS, { name: volume.claim, namespace: plan.namespace }, signal);
    if (there !== undefined && isOwn(there, plan)) return there;
    const snapshot = await this.#snapshotStep(plan, volume, signal);
    return await this.#ensure(CLAIMS, claimOf(plan, volume, snapshot), plan, signal);
  }

  /** The VolumeSnapshot that a claim is filled from: the backup's own, or one made for the storage's snapshot. */
  async #snapshotStep(plan: RestorePlan, volume: PlannedVolume, signal: AbortSignal): Promise<string> {
    const source = await findSource(this.#client, plan, volume, signal);
    if (source.kind === 'snapshot') return source.name;
    const content = await this.#ensure(SNAPSHOT_CONTENTS, contentOf(plan, volume, source.cut), plan, signal);
    const snapshot = await this.#ensure(VOLUME_SNAPSHOTS, snapshotOf(plan, volume), plan, signal);
    await untilImported(this.#waiting(signal), { snapshot, content }, this.#warn);
    return snapshot.metadata.name;
  }

  /**
   * The Job of this restore. One of an earlier run is gone on with when it has prepared the files or is at it; one that
   * failed or hangs is made anew: what it hung on may have been mended, or is another image now.
   */
  async #startJob(plan: RestorePlan, signal: AbortSignal): Promise<Job> {
    const ref = { name: restoreNames(plan.name).prepare, namespace: plan.namespace };
    const earlier = await this.#client.get(JOBS, ref, signal);
    if (earlier !== undefined && isOwn(earlier, plan)) {
      const { succeeded = 0, ready = 0 } = earlier.status ?? {};
      if (succeeded + ready > 0 && earlier.metadata.deletionTimestamp === undefined) return earlier;
      await this.#removing((removal) => remove(removal, { kind: JOBS, object: earlier }));
    }
    return this.#ensure(JOBS, prepareJob(plan), plan, signal);
  }

  /** Makes an object, or takes the one that an earlier run of this restore has made. */
  async #ensure<T extends KubeObject>(
    kind: Resource<T>,
    object: Omit<T, 'apiVersion' | 'kind'>,
    plan: RestorePlan,
    signal: AbortSignal,
  ): Promise<T> {
    try {
      return await this.#client.create(kind, object, signal);
    } catch (thrown) {
      if (!isAlreadyThere(thrown)) throw thrown;
    }
    const { name, namespace } = object.metadata;
    const there = await this.#client.get(kind, { name, namespace }, signal);
    if (there !== undefined && isOwn(there, plan)) return there;
    const path = namespace === undefined ? name : `${namespace}/${name}`;
    throw new StillpointError(
      'restore-exists',
      `${kind.kind} ${path} was made by somebody else meanwhile, and is not overwritten`,
      { hint: 'take another name with --claim' },
    );
  }

  #waiting(signal: AbortSignal): Waiting {
    return { client: this.#client, clock: this.#clock, signal };
  }

  /** Removals have a time of their own: they go on when what they clean up after has run out of its. */
  async #removing<T>(work: (removal: Waiting) => Promise<T>): Promise<T> {
    using limit = timeLimit(this.#clock, REMOVAL_SECONDS * 1000, () => {
      const message = `what was deleted is not gone after ${REMOVAL_SECONDS} s`;
      return new StillpointError('delete-incomplete', message, { hint: 'the same command again goes on with it' });
    });
    return await work(this.#waiting(limit.signal));
  }
}

function waysTo({ metadata: { namespace, name } }: Pod, { port, client }: ServerCommand): readonly string[] {
  const exec = `kubectl exec -it -n ${namespace} ${name} -c ${SERVER_CONTAINER} --`;
  return [
    ...(client === undefined ? [] : [`${exec} ${client.join(' ')}`]),
    ...(port === undefined ? [] : [`kubectl port-forward -n ${namespace} pod/${name} ${port}`]),
    `kubectl delete pod -n ${namespace} ${name}   # ends it; the claims stay`,
  ];
}

function unfinished({ name, namespace }: RestorePlan, { metadata }: ConfigMap): Finding {
  const message = `restore ${namespace}/${name} was begun at ${metadata.creationTimestamp} and never came to its end: going on with it`;
  return { severity: 'warning', code: 'ok', subject: `restore ${namespace}/${name}`, message };
}

function unknownDriver({ name, cut }: PlannedVolume): readonly Finding[] {
  if (cut.driver !== undefined) return [];
  const message = `the record does not name the driver of volume ${name}: whether the storage class fits shows only when the claim is filled`;
  return [{ severity: 'warning', code: 'ok', subject: `volume ${name}`, message }];
}
