/** Clones in a Kubernetes namespace. */
import { randomBytes } from 'node:crypto';
import { cloneNames } from '../../src/contract';
import { timeLimit } from '../abort';
import type { ClonePlan } from '../clone/plan';
import type { CloneAccess, CloneInfo, CloneSite, CloneStage } from '../clone/site';
import type { CopyServer, PreparedFiles } from '../engine';
import { StillpointError } from '../errors';
import type { Clock, Finding } from '../ports';
import type { UndoneRestore } from '../restore/site';
import type { KubeClient } from './client';
import { bookDiffers, infoOf, newBook, stageEntry, stageOf } from './clone/book';
import { isolationFindings } from './clone/isolation';
import { cloneSelector, isOwnClone, seriesSelector } from './clone/labels';
import {
  FILES_DIRECTORY,
  loginFiles,
  loginSecret,
  networkPolicyOf,
  passwordIn,
  podLabels,
  seriesService,
  serviceOf,
  statefulSetOf,
} from './clone/manifests';
import { untilServing } from './clone/ready';
import { findBooks, undoOne, undoSeries } from './clone/undo';
import { isAlreadyThere } from './errors';
import { CONFIG_MAPS, DISRUPTION_BUDGETS, NETWORK_POLICIES, SECRETS, SERVICES, STATEFUL_SETS } from './objects';
import type { KubeObject, Resource } from './resource';
import type { Waiting } from './until';

/** How long a clone may take to go: its server is shut down in the ordinary way. */
const REMOVAL_SECONDS = 180;

/** Letters and digits, so that it needs no quotes anywhere. */
const PASSWORD_BYTES = 18;

export class KubernetesCloneSite implements CloneSite {
  readonly filesDirectory = FILES_DIRECTORY;
  readonly #client: KubeClient;
  readonly #clock: Clock;

  constructor(client: KubeClient, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  async stage(plan: ClonePlan, signal: AbortSignal): Promise<CloneStage | undefined> {
    const ref = { name: cloneNames(plan.name).book, namespace: plan.restore.namespace };
    const book = await this.#client.get(CONFIG_MAPS, ref, signal);
    return book !== undefined && isOwnClone(book, plan) ? stageOf(book) : undefined;
  }

  async check(plan: ClonePlan, signal: AbortSignal): Promise<readonly Finding[]> {
    const { namespace } = plan.restore;
    const { book, login, networkPolicy, service, workload } = cloneNames(plan.name);
    const begun = await this.#client.get(CONFIG_MAPS, { name: book, namespace }, signal);
    if (begun !== undefined) assertGoesOn(plan, begun);
    if (plan.scripts !== undefined) await this.#checkScripts(plan, plan.scripts, signal);
    if (!plan.workload) return [];
    await this.#refuseTaken(SECRETS, login, plan, signal);
    await this.#refuseTaken(SERVICES, service, plan, signal);
    await this.#refuseTaken(NETWORK_POLICIES, networkPolicy, plan, signal);
    await this.#refuseTaken(STATEFUL_SETS, workload, plan, signal);
    if (plan.series !== undefined) await this.#refuseSeries(plan, plan.series, signal);
    return await this.#checkIsolation(plan, signal);
  }

  async begin(plan: ClonePlan, signal: AbortSignal): Promise<CloneStage> {
    const book = await this.#ensure(CONFIG_MAPS, newBook(plan), plan, signal);
    if (plan.workload) {
      const password = randomBytes(PASSWORD_BYTES).toString('hex');
      await this.#ensure(SECRETS, loginSecret(plan, password), plan, signal);
    }
    return stageOf(book);
  }

  async advance(plan: ClonePlan, stage: CloneStage, signal: AbortSignal): Promise<void> {
    const ref = { name: cloneNames(plan.name).book, namespace: plan.restore.namespace };
    await this.#client.patch(CONFIG_MAPS, ref, stageEntry(stage), signal);
  }

  loginOf(plan: ClonePlan): string {
    return cloneNames(plan.name).login;
  }

  async open(
    plan: ClonePlan,
    prepared: PreparedFiles,
    serverWith: (password: string) => CopyServer,
    signal: AbortSignal,
  ): Promise<CloneAccess> {
    const { namespace } = plan.restore;
    const names = cloneNames(plan.name);
    const ref = { name: names.login, namespace };
    const login = await this.#client.get(SECRETS, ref, signal);
    if (login === undefined || !isOwnClone(login, plan)) throw goneMeanwhile(`Secret ${namespace}/${names.login}`);
    const server = serverWith(passwordIn(login));
    await this.#client.patch(SECRETS, ref, loginFiles(server), signal);
    // The walls stand before anybody is within them.
    await this.#ensure(NETWORK_POLICIES, networkPolicyOf(plan), plan, signal);
    await this.#ensure(SERVICES, serviceOf(plan, server), plan, signal);
    await this.#ensure(STATEFUL_SETS, statefulSetOf(plan, prepared, server), plan, signal);
    await untilServing(this.#waiting(signal), namespace, `${names.workload}-0`);
    const host = `${names.service}.${namespace}.svc`;
    return { host, port: server.port, username: server.username, secret: names.login };
  }

  async turnTo(plan: ClonePlan, signal: AbortSignal): Promise<readonly string[]> {
    const { series, restore, workload } = plan;
    if (series === undefined) return [];
    const { namespace } = restore;
    if (workload) await this.#leadTo({ ...plan, series }, signal);
    const books = await findBooks(this.#client, namespace, seriesSelector(series));
    return books.map((book) => infoOf(book).name).filter((name) => name !== plan.name);
  }

  async list(namespace: string | undefined): Promise<readonly CloneInfo[]> {
    return (await findBooks(this.#client, namespace)).map(infoOf);
  }

  async undo(namespace: string, name: string): Promise<UndoneRestore> {
    using limit = timeLimit(this.#clock, REMOVAL_SECONDS * 1000, () => {
      const message = `clone ${namespace}/${name} is not gone after ${REMOVAL_SECONDS} s`;
      return new StillpointError('delete-incomplete', message, { hint: 'the same command again goes on with it' });
    });
    const waiting = this.#waiting(limit.signal);
    const one = await undoOne(waiting, namespace, name);
    const undone = one.removed.length > 0 ? one : await undoSeries(waiting, namespace, name);
    if (undone.removed.length > 0) return undone;
    throw new StillpointError('clone-not-found', `there is no clone ${name} in namespace ${namespace}`, {
      hint: '`stillpoint clone --list` shows those that there are',
    });
  }

  undoCommand({ name, restore: { namespace } }: ClonePlan): string {
    return `stillpoint clone --undo ${name} --to-namespace ${namespace}`;
  }

  async #leadTo(plan: ClonePlan & { readonly series: string }, signal: AbortSignal): Promise<void> {
    const { namespace } = plan.restore;
    const own = await this.#client.get(SERVICES, { name: cloneNames(plan.name).service, namespace }, signal);
    const wanted = seriesService(plan, own?.spec.ports?.[0]?.port ?? 0);
    try {
      await this.#client.create(SERVICES, wanted, signal);
    } catch (thrown) {
      if (!isAlreadyThere(thrown)) throw thrown;
      await this.#client.patch(SERVICES, { name: plan.series, namespace }, { spec: wanted.spec }, signal);
    }
  }

  async #checkScripts(plan: ClonePlan, name: string, signal: AbortSignal): Promise<void> {
    const { namespace } = plan.restore;
    const found = await this.#client.get(CONFIG_MAPS, { name, namespace }, signal);
    if (Object.keys(found?.data ?? {}).length > 0) return;
    const why =
      found === undefined ? `there is no ConfigMap ${namespace}/${name}` : `ConfigMap ${namespace}/${name} is empty`;
    throw new StillpointError('usage-invalid', `${why}, and its scripts were to run on clone ${plan.name}`, {
      hint: 'without them the clone would be opened with the original’s data as it is',
    });
  }

  async #checkIsolation(plan: ClonePlan, signal: AbortSignal): Promise<readonly Finding[]> {
    const { namespace } = plan.restore;
    const [services, budgets, policies] = await Promise.all([
      this.#client.list(SERVICES, { namespace }, signal),
      this.#client.list(DISRUPTION_BUDGETS, { namespace }, signal),
      this.#client.list(NETWORK_POLICIES, { namespace }, signal),
    ]);
    const ours = ({ metadata: { labels = {} } }: KubeObject): boolean =>
      Object.entries(cloneSelector()).every(([name, value]) => labels[name] === value);
    const findings = isolationFindings(podLabels(plan), {
      services: services.items.filter((each) => !ours(each)),
      budgets: budgets.items,
      policies: policies.items.filter((each) => !ours(each)),
    });
    const first = findings.find(({ severity }) => severity === 'error');
    if (first === undefined) return findings;
    throw new StillpointError('clone-not-isolated', `${first.message} in namespace ${namespace}`, {
      hint: 'clone into another namespace, with --to-namespace, or give that Service a selector of its own',
    });
  }

  async #refuseTaken<T extends KubeObject>(
    kind: Resource<T>,
    name: string,
    plan: ClonePlan,
    signal: AbortSignal,
  ): Promise<void> {
    const { namespace } = plan.restore;
    const there = await this.#client.get(kind, { name, namespace }, signal);
    if (there !== undefined && !isOwnClone(there, plan)) throw taken(kind.kind, namespace, name);
  }

  async #refuseSeries({ restore: { namespace } }: ClonePlan, series: string, signal: AbortSignal): Promise<void> {
    const there = await this.#client.get(SERVICES, { name: series, namespace }, signal);
    if (there === undefined) return;
    const { labels = {} } = there.metadata;
    const own = Object.entries(seriesSelector(series)).every(([name, value]) => labels[name] === value);
    if (!own) throw taken('Service', namespace, series);
  }

  /** Makes an object, or takes the one that an earlier run of this clone has made. */
  async #ensure<T extends KubeObject>(
    kind: Resource<T>,
    object: Omit<T, 'apiVersion' | 'kind'>,
    plan: ClonePlan,
    signal: AbortSignal,
  ): Promise<T> {
    try {
      return await this.#client.create(kind, object, signal);
    } catch (thrown) {
      if (!isAlreadyThere(thrown)) throw thrown;
    }
    const { name, namespace } = object.metadata;
    const there = await this.#client.get(kind, { name, namespace }, signal);
    if (there === undefined) throw goneMeanwhile(`${kind.kind} ${namespace}/${name}`);
    if (isOwnClone(there, plan)) return there;
    throw taken(kind.kind, namespace ?? '', name);
  }

  #waiting(signal: AbortSignal): Waiting {
    return { client: this.#client, clock: this.#clock, signal };
  }
}

/** A clone of this name is gone on with when it is the same, and was never finished. */
function assertGoesOn(plan: ClonePlan, book: Parameters<typeof bookDiffers>[0]): void {
  const { namespace } = plan.restore;
  const { metadata } = book;
  const difference = isOwnClone(book, plan) ? bookDiffers(book, plan) : 'of something else';
  if (difference === undefined && stageOf(book) !== 'ready' && metadata.deletionTimestamp === undefined) return;
  const what = difference === undefined ? `since ${metadata.creationTimestamp}` : difference;
  throw new StillpointError('clone-exists', `there is a clone ${namespace}/${plan.name} already, ${what}`, {
    hint: `take another name, or remove it first: stillpoint clone --undo ${plan.name} --to-namespace ${namespace}`,
  });
}

function taken(kind: string, namespace: string, name: string): StillpointError {
  return new StillpointError('clone-exists', `${kind} ${namespace}/${name} is there already, and is not overwritten`, {
    hint: 'take another name with --to',
  });
}

function goneMeanwhile(what: string): StillpointError {
  return new StillpointError('clone-failed', `${what} was removed or changed by somebody else meanwhile`);
}
