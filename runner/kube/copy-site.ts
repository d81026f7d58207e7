/**
 * The worker of a policy of copies in a Kubernetes namespace: a Deployment that is scaled to one pod, and to none. Whoever does that
 * makes no pod, and cannot change what the pod is (docs/decisions/0086-a-worker-that-is-scaled.md).
 */
import { COMPONENTS, COPY_MOUNTS, type CopyConfig, LABELS, MANAGED_BY } from '../../src/contract';
import { timeLimit } from '../abort';
import { type CopyAnswer, type CopyOrder, orderText } from '../copy/order';
import { emptyPlaces } from '../copy/places';
import type { CopySite } from '../copy/site';
import { StillpointError } from '../errors';
import type { Clock, Run } from '../ports';
import { readOutcome } from '../restore/outcome';
import type { PlannedVolume, RestorePlan } from '../restore/plan';
import type { KubeClient } from './client';
import { isAlreadyThere } from './errors';
import { CLAIMS, type Claim, CONFIG_MAPS, type ConfigMap, DEPLOYMENTS, PODS, type Pod } from './objects';
import type { KubeObject, Resource } from './resource';
import { isDisrupted, stuckOn, waitingFor } from './restore/pod-state';
import { findSource } from './restore/source';
import { until, untilGone, type Waiting } from './until';

export interface CopySiteOptions {
  readonly namespace: string;
  readonly config: CopyConfig;
  readonly run: Run;
  readonly clock: Clock;
}

/** How long the worker may take to end, and its claims to go. */
const REMOVAL_SECONDS = 180;

/** Of a claim that holds nothing: what storage commonly rounds up to anyway. */
const EMPTY_SIZE = '1Gi';

/** The worker's container. */
const CONTAINER = 'runner';

export class KubernetesCopySite implements CopySite {
  readonly #client: KubeClient;
  readonly #options: CopySiteOptions;

  constructor(client: KubeClient, options: CopySiteOptions) {
    this.#client = client;
    this.#options = options;
  }

  async clear(signal: AbortSignal): Promise<void> {
    const { clock, namespace } = this.#options;
    using limit = timeLimit(clock, REMOVAL_SECONDS * 1000, () => {
      const message = `what was made for a copy is not gone after ${REMOVAL_SECONDS} s`;
      return new StillpointError('delete-incomplete', message, { hint: 'the next run goes on with it' });
    });
    const waiting = this.#waiting(AbortSignal.any([signal, limit.signal]));
    const { worker, order, volumes } = this.#options.config.spec.copy;
    // Who uses the claims goes before them.
    await this.#client.scale(DEPLOYMENTS, { name: worker, namespace }, 0, waiting.signal);
    await this.#untilNoPods(waiting);
    for (const { claim } of volumes) await this.#remove(waiting, CLAIMS, claim);
    await this.#remove(waiting, CONFIG_MAPS, order);
  }

  async run(plan: RestorePlan, order: CopyOrder, signal: AbortSignal): Promise<CopyAnswer> {
    const { namespace, config } = this.#options;
    for (const volume of plan.volumes) await this.#claimStep(plan, volume, signal);
    for (const claim of emptyPlaces(plan.volumes, config.spec.copy)) await this.#emptyStep(plan, claim, signal);
    await this.#create(CONFIG_MAPS, this.#orderObject(order), signal);
    await this.#client.scale(DEPLOYMENTS, { name: config.spec.copy.worker, namespace }, 1, signal);
    const answer = await this.#untilAnswered(signal);
    if (answer.turn === order.turn) return answer;
    throw new StillpointError(
      'runner-lost',
      `worker ${namespace}/${config.spec.copy.worker} has answered another order`,
    );
  }

  async #claimStep(plan: RestorePlan, volume: PlannedVolume, signal: AbortSignal): Promise<void> {
    const source = await findSource(this.#client, plan, volume, signal);
    if (source.kind !== 'snapshot') {
      throw new StillpointError(
        'backup-not-restorable',
        `VolumeSnapshot ${plan.namespace}/${volume.cut.snapshot} is gone, or another one than the backup's: nothing can be copied from it`,
        { hint: 'the next backup is copied' },
      );
    }
    await this.#create(CLAIMS, this.#claim(volume, source.name), signal);
  }

  /** Of the class of the others: one that this pod can mount beside them. */
  async #emptyStep({ volumes: [like] }: RestorePlan, claim: string, signal: AbortSignal): Promise<void> {
    const { accessModes = ['ReadWriteOnce'], storageClass } = like ?? {};
    const empty: New<Claim> = {
      metadata: this.#metadata(claim),
      spec: {
        accessModes,
        ...(storageClass === undefined ? {} : { storageClassName: storageClass }),
        resources: { requests: { storage: EMPTY_SIZE } },
      },
    };
    await this.#create(CLAIMS, empty, signal);
  }

  #claim({ claim, name, accessModes, storageClass, size }: PlannedVolume, snapshot: string): New<Claim> {
    return {
      metadata: this.#metadata(claim, { [LABELS.volume]: name }),
      spec: {
        accessModes,
        ...(storageClass === undefined ? {} : { storageClassName: storageClass }),
        ...(size === undefined ? {} : { resources: { requests: { storage: size } } }),
        // Not `dataSource`: what is wrong with that one is dropped without a word, and the claim comes up empty.
        dataSourceRef: { apiGroup: 'snapshot.storage.k8s.io', kind: 'VolumeSnapshot', name: snapshot },
      },
    };
  }

  #orderObject(order: CopyOrder): New<ConfigMap> {
    return {
      metadata: this.#metadata(this.#options.config.spec.copy.order),
      data: { [COPY_MOUNTS.orderFile]: orderText(order) },
    };
  }

  /** Owned by the Job: when nobody comes to remove it, it goes with that. */
  #metadata(name: string, labels: Readonly<Record<string, string>> = {}): New<Claim>['metadata'] {
    const { namespace, run } = this.#options;
    const { jobName, jobUid } = run.owner;
    return {
      name,
      namespace,
      labels: { ...this.#ownLabels, [LABELS.backup]: run.id, ...labels },
      ...(jobName === undefined
        ? {}
        : { ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name: jobName, uid: jobUid }] }),
    };
  }

  get #ownLabels(): Readonly<Record<string, string>> {
    return {
      [LABELS.managedBy]: MANAGED_BY,
      [LABELS.component]: COMPONENTS.copy,
      [LABELS.database]: this.#options.config.spec.database,
    };
  }

  get #workerLabels(): Readonly<Record<string, string>> {
    return { [LABELS.component]: COMPONENTS.copyWorker, [LABELS.database]: this.#options.config.spec.database };
  }

  /** What the container ended with, the first time: it is started again, and then does nothing. */
  async #untilAnswered(signal: AbortSignal): Promise<CopyAnswer> {
    const { namespace, config } = this.#options;
    const path = `worker ${namespace}/${config.spec.copy.worker}`;
    let last: Pod | undefined;
    const look = (pod: Pod): Ended | undefined => {
      last = pod;
      const why = stuckOn(pod);
      if (why !== undefined) throw new StillpointError('wait-impossible', `${path} hangs: ${why}`);
      return isDisrupted(pod) ? undefined : endOfFirst(pod);
    };
    try {
      const selection = { namespace, labels: this.#workerLabels };
      const { message, reason, exitCode } = await until(this.#waiting(signal), PODS, selection, look);
      return readOutcome<CopyAnswer>(message, `${path} (${reason}, exit code ${exitCode})`, 'runner-lost');
    } catch (thrown) {
      if (!signal.aborted) throw thrown;
      const hangs = last === undefined ? 'it has no pod yet' : waitingFor(last);
      const why = signal.reason instanceof StillpointError ? signal.reason : undefined;
      throw new StillpointError(
        why?.code ?? 'interrupted',
        `${why?.message ?? 'the copy was interrupted'}: ${path} was not done (${hangs})`,
        {
          cause: thrown,
        },
      );
    }
  }

  async #untilNoPods(waiting: Waiting): Promise<void> {
    const { namespace } = this.#options;
    for (;;) {
      const { items } = await this.#client.list(PODS, { namespace, labels: this.#workerLabels }, waiting.signal);
      if (items.length === 0) return;
      for (const pod of items) await untilGone(waiting, PODS, pod);
    }
  }

  async #create<T extends KubeObject>(kind: Resource<T>, object: New<T>, signal: AbortSignal): Promise<void> {
    try {
      await this.#client.create(kind, object, signal);
    } catch (thrown) {
      if (!isAlreadyThere(thrown)) throw thrown;
      throw new StillpointError(
        'restore-exists',
        `${kind.kind} ${this.#options.namespace}/${object.metadata.name} is there already`,
        {
          hint: 'somebody else has made it meanwhile: the next run begins anew',
          cause: thrown,
        },
      );
    }
  }

  /** Removes what is a copy's, by name and labels. Throws restore-exists where somebody else has one of this name. */
  async #remove<T extends KubeObject>(waiting: Waiting, kind: Resource<T>, name: string): Promise<void> {
    const ref = { name, namespace: this.#options.namespace };
    const object = await this.#client.get(kind, ref, waiting.signal);
    if (object === undefined) return;
    const { labels = {}, uid } = object.metadata;
    if (!Object.entries(this.#ownLabels).every(([label, value]) => labels[label] === value)) {
      throw new StillpointError('restore-exists', `${kind.kind} ${ref.namespace}/${name} is there, and is of no copy`, {
        hint: 'remove it, or give the policy of copies another name',
      });
    }
    await this.#client.delete(kind, ref, { uid }, waiting.signal);
    await untilGone(waiting, kind, object);
  }

  #waiting(signal: AbortSignal): Waiting {
    return { client: this.#client, clock: this.#options.clock, signal };
  }
}

type New<T> = Omit<T, 'apiVersion' | 'kind'>;

interface Ended {
  readonly exitCode: number;
  readonly reason: string;
  readonly message: string | undefined;
}

/** How the container of a worker has ended the first time; undefined as long as it has not. Pure. */
export function endOfFirst(pod: Pod): Ended | undefined {
  const status = pod.status?.containerStatuses?.find(({ name }) => name === CONTAINER);
  const ended = status?.lastState?.terminated ?? status?.state?.terminated;
  if (ended === undefined) return undefined;
  const { exitCode, reason = exitCode === 0 ? 'Completed' : 'Error', message } = ended;
  return { exitCode, reason, message };
}
