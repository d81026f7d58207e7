/** What tests of dumps share: a namespace, a store that speaks S3, and a registry of their own whose pruner is told of it. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Chart, Duration, Testing } from 'cdk8s';
import { Secret } from 'cdk8s-plus-28';
import { type BackupPolicy, BackupStorage, Registry, type RegistryProps } from 'stillpoint';
import { expect, inject } from 'vitest';
import type { BackupRecord } from '../../../src/contract';
import { type Anything, apply, KINDS, read, remove } from './cluster';
import { jobEnd, nthPod, type PodEnd, podEnd, startBackup, type TestJob } from './job';
import { makeNamespace, RUN_LABEL, removeNamespace, type TestNamespace, uniqueName } from './namespace';
import { NEVER } from './never';
import { startS3, type TestS3 } from './s3';
import { type Answer, stillpointOf } from './stillpoint';
import { eventually } from './wait';

/** What all objects of the tests begin with. */
export const PREFIX = 'prod';

/** A policy that was applied. */
export interface Policy {
  readonly name: string;
  readonly namespace: string;
  readonly database: string;
}

/** How one pod of a dump ended. */
export interface DumpEnd {
  readonly job: TestJob;
  readonly record: BackupRecord | undefined;
  readonly pod: PodEnd;
}

/** How a restore ended. */
export interface RestoreEnd {
  readonly ended: string;
  readonly pod: PodEnd;
  readonly job: TestJob;
}

/** What every policy and every restore of the scene has. */
export interface Shared {
  readonly storage: BackupStorage;
  readonly registry: ReturnType<typeof Registry.fromNamespace>;
  readonly image: string;
  readonly deadline: Duration;
}

export class DumpScene implements AsyncDisposable {
  private constructor(
    readonly place: TestNamespace,
    readonly registry: string,
    readonly s3: TestS3,
  ) {}

  /** `more`: what the registry is told besides. */
  static async start(
    name: string,
    more: (chart: Chart, scene: DumpScene) => RegistryProps = () => ({}),
  ): Promise<DumpScene> {
    const place = await makeNamespace(name);
    const registry = uniqueName(`e2e-${name}-registry`);
    const scene = new DumpScene(place, registry, await startS3(place.name));
    const own = new Chart(Testing.app(), 'registry');
    new Registry(own, 'registry', {
      namespaceName: registry,
      image: inject('image'),
      labels: { [RUN_LABEL]: inject('registry') },
      keepNamespace: false,
      schedule: NEVER,
      storages: [scene.storage(own)],
      ...more(own, scene),
    });
    await apply(own.toJson());
    for (const each of [place.name, registry]) await scene.s3.secret('store', each);
    return scene;
  }

  get namespace(): string {
    return this.place.name;
  }

  /** `id`: of the Secret in the chart, where that has the storage twice. */
  storage(chart: Chart, secret = 'store', id = `keys-${secret}`): BackupStorage {
    return BackupStorage.s3({
      bucket: this.s3.bucket,
      endpoint: this.s3.endpoint,
      prefix: PREFIX,
      credentials: Secret.fromSecretName(chart, id, secret),
      patience: Duration.seconds(20),
    });
  }

  /** The store as a person on a machine without the cluster names it; `folder` gets the login. */
  async location(folder: string): Promise<string> {
    for (const [key, value] of Object.entries(this.s3.login)) await writeFile(join(folder, key), value);
    return `s3://${this.s3.bucket}/${PREFIX}?endpoint=${this.s3.endpoint}&credentials=${folder}`;
  }

  async secret(name: string, stringData: Readonly<Record<string, string>>): Promise<void> {
    const metadata = { name, namespace: this.namespace };
    await apply([{ apiVersion: 'v1', kind: 'Secret', metadata, stringData } as Anything]);
  }

  login(name: string, username: string, password: string): Promise<void> {
    return this.secret(name, { username, password });
  }

  /** Makes a policy, and applies it. */
  async policy(id: string, make: (chart: Chart, shared: Shared) => BackupPolicy, secret?: string): Promise<Policy> {
    const chart = new Chart(Testing.app(), id, { namespace: this.namespace });
    const backup = make(chart, this.#shared(chart, this.registry, secret));
    await apply(chart.toJson());
    return { name: backup.policyName, namespace: this.namespace, database: backup.databaseName };
  }

  async recordsOf({ database }: Policy): Promise<readonly BackupRecord[]> {
    const { stdout } = await stillpointOf(this.registry, 'list', database, '-n', this.namespace, '-o', 'json');
    return JSON.parse(stdout) as BackupRecord[];
  }

  /** Starts a Job, and waits for its first pod; the Job is deleted before it tries again. */
  async attempt(of: Policy, meanwhile: (pod: string) => Promise<void> = async () => undefined): Promise<DumpEnd> {
    const job = await startBackup(of);
    const pod = await nthPod(job);
    const end = podEnd(pod, job.namespace);
    await meanwhile(pod);
    const ended = await end;
    if (ended.exitCode !== 0) await remove(KINDS.job, job.name, job.namespace);
    const record = (await this.recordsOf(of)).find(({ owner }) => owner.jobUid === job.uid);
    return { job, record, pod: ended };
  }

  /** A dump that has to succeed. */
  async good(of: Policy): Promise<{ readonly record: BackupRecord; readonly job: TestJob }> {
    const { record, job, pod } = await this.attempt(of);
    expect([pod.exitCode, record?.phase], JSON.stringify(pod.log.slice(-2))).toEqual([0, 'succeeded']);
    if (record === undefined) throw new Error('there is no record');
    return { record, job };
  }

  /** Restores a dump by its construct. Answers with how the Job ended, and what its first pod said. */
  async restore(
    id: string,
    make: (chart: Chart, shared: Shared) => { readonly jobName: string },
    registry = this.registry,
  ): Promise<RestoreEnd> {
    const chart = new Chart(Testing.app(), id, { namespace: this.namespace });
    const { jobName } = make(chart, this.#shared(chart, registry));
    await apply(chart.toJson());
    const found = await eventually(`Job ${jobName} is there`, () => read(KINDS.job, jobName, this.namespace));
    const job = { name: jobName, namespace: this.namespace, uid: found.metadata?.uid ?? '' };
    const pod = await podEnd(await nthPod(job), this.namespace);
    if (pod.exitCode === 3) await remove(KINDS.job, jobName, this.namespace);
    return { ended: pod.exitCode === 3 ? 'Failed' : await jobEnd(job), pod, job };
  }

  describe(record: BackupRecord): Promise<Answer> {
    return stillpointOf(this.registry, 'describe', `${this.namespace}/${record.database}/${record.id}`);
  }

  #shared(chart: Chart, registry: string, secret?: string): Shared {
    return {
      storage: this.storage(chart, secret),
      registry: Registry.fromNamespace(registry),
      image: inject('image'),
      deadline: Duration.minutes(5),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await removeNamespace(this.registry);
    await this.place[Symbol.asyncDispose]();
  }
}
