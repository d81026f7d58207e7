/**
 * NuoDB: the cluster's stand-in for a storage manager with its backup hooks (nuodb-standin:1), in StatefulSets with the
 * labels, volumes and paths of NuoDB's Helm chart. It holds no database: what it writes are numbered atoms, to the journal
 * first and then to the archive. It pauses its archive as hotsnap does; with the other modes of the hooks: nuodb-modes.ts.
 */
import { Chart, Testing } from 'cdk8s';
import { NuoDbBackup, type NuoDbBackupProps } from 'stillpoint';
import { type Anything, apply, create, KINDS, read, remove } from './cluster';
import { ARCHIVE, HOOKS_PORT, JOURNAL, modesPod, modesPrograms, type RealFreeze } from './nuodb-modes';
import { addressOf, isReady } from './pods';
import { type TestPolicy, usualProps } from './policy';
import { eventually } from './wait';

const IMAGE = 'nuodb-standin:1';

/** The name of the database in its domain. */
export const DATABASE = 'demo';

export interface StorageManagers {
  readonly namespace: string;
  /** The Helm release: its StatefulSet is called as the chart calls it. @default 'db' */
  readonly release?: string;
  /** @default 1 */
  readonly replicas?: number;
  /** @default true */
  readonly separateJournal?: boolean;
  /** What its hooks do; where each journal has a volume of its own. @default - what the image does, as hotsnap */
  readonly freezeMode?: RealFreeze;
}

/** Where the archive and the journal stand, by the stand-in's own word. */
export interface State {
  readonly frozen: boolean;
  readonly backup: string;
  readonly archive: number;
  readonly journal: number;
}

export interface TestStorageManagers {
  readonly namespace: string;
  readonly statefulSet: string;
  pod(ordinal: number): string;
  /** Asks one of them. */
  state(ordinal?: number): Promise<State>;
  /** Asks its hooks, as somebody else than the runner would. */
  hook(path: string, body?: object, ordinal?: number): Promise<{ readonly status: number; readonly message?: string }>;
}

/** Starts storage managers, and waits until all of them are ready. */
export async function startStorageManagers(options: StorageManagers): Promise<TestStorageManagers> {
  const { namespace, release = 'db', replicas = 1, separateJournal = true, freezeMode } = options;
  const statefulSet = `sm-${release}-nuodb-cluster0-${DATABASE}`;
  const labels = {
    app: `${release}-nuodb-cluster0-${DATABASE}`,
    group: 'nuodb',
    database: DATABASE,
    domain: 'nuodb',
    release,
  };
  const pods = { ...labels, component: 'sm', role: 'nohotcopy' };
  const volumes = ['archive-volume', ...(separateJournal ? ['journal-volume'] : [])];
  await apply([
    ...(freezeMode === undefined ? [] : [modesPrograms(namespace)]),
    {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: { name: statefulSet, namespace, labels },
      spec: {
        serviceName: DATABASE,
        replicas,
        podManagementPolicy: 'Parallel',
        selector: { matchLabels: pods },
        template: {
          metadata: { labels: pods },
          spec: freezeMode === undefined ? podSpec(separateJournal) : modesPod(freezeMode),
        },
        volumeClaimTemplates: volumes.map((name) => ({
          metadata: { name, labels: { use: name } },
          spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
        })),
      },
    } as Anything,
  ]);
  const pod = (ordinal: number): string => `${statefulSet}-${ordinal}`;
  for (let ordinal = 0; ordinal < replicas; ordinal++) {
    await eventually(`${pod(ordinal)} is ready`, () => isReady(pod(ordinal), namespace), { seconds: 120 });
  }
  const ask = async (ordinal: number, path: string, init?: RequestInit): Promise<Response> =>
    await fetch(`http://${await addressOf(pod(ordinal), namespace)}:${HOOKS_PORT}${path}`, init);
  return {
    namespace,
    statefulSet,
    pod,
    state: async (ordinal = 0) => (await (await ask(ordinal, '/state')).json()) as State,
    hook: async (path, body, ordinal = 0) => {
      const answer = await ask(ordinal, path, { method: 'POST', ...(body && { body: JSON.stringify(body) }) });
      return { status: answer.status, ...((await answer.json()) as { message?: string }) };
    },
  };
}

/**
 * A storage manager on claims that a restore has made: it refuses an archive with atoms that its journal does not know. It
 * writes no atom of its own, however long it takes until it is asked: what it says is what the restore gave it.
 */
export async function stateOfCopy(
  name: string,
  namespace: string,
  claims: { readonly archive: string; readonly journal?: string },
): Promise<State> {
  const { archive, journal } = claims;
  await create({
    ...KINDS.pod,
    metadata: { name, namespace },
    spec: {
      ...podSpec(journal !== undefined, ['-every', '1000h']),
      volumes: Object.entries({ 'archive-volume': archive, ...(journal && { 'journal-volume': journal }) }).map(
        ([volume, claimName]) => ({ name: volume, persistentVolumeClaim: { claimName } }),
      ),
    },
  } as Anything);
  await eventually(`${name} is ready`, () => isReady(name, namespace), { seconds: 120 });
  const answer = await fetch(`http://${await addressOf(name, namespace)}:${HOOKS_PORT}/state`);
  const state = (await answer.json()) as State;
  await remove(KINDS.pod, name, namespace, 0);
  await eventually(`${name} is gone`, async () => (await read(KINDS.pod, name, namespace)) === undefined);
  return state;
}

/** One container for the engine and its hooks: the stand-in is both. It takes its timeouts as the real hooks do. */
function podSpec(separateJournal: boolean, args: readonly string[] = []): object {
  return {
    terminationGracePeriodSeconds: 1,
    containers: [
      {
        name: 'engine',
        image: IMAGE,
        args,
        env: [
          { name: 'STRICT_TIMEOUT', value: 'true' },
          ...(separateJournal ? [] : [{ name: 'NUODB_JOURNAL_DIR', value: `${ARCHIVE}/journal` }]),
        ],
        ports: [{ containerPort: HOOKS_PORT }],
        // A machine that has much to do is no reason to be taken for one that does not serve.
        readinessProbe: { httpGet: { path: '/state', port: HOOKS_PORT }, periodSeconds: 1, timeoutSeconds: 5 },
        volumeMounts: [
          { name: 'archive-volume', mountPath: ARCHIVE },
          ...(separateJournal ? [{ name: 'journal-volume', mountPath: JOURNAL }] : []),
        ],
      },
    ],
  };
}

/** What a test may say of its policy; the rest is as a user would have it. */
export type NuoDbPolicyOptions = Partial<NuoDbBackupProps> & {
  readonly database: string;
  /** @default - one that retains */
  readonly className?: string;
  readonly asGroup?: boolean;
};

/** Makes a policy, and applies it. */
export async function applyNuoDbPolicy(namespace: string, options: NuoDbPolicyOptions): Promise<TestPolicy> {
  const chart = new Chart(Testing.app(), 'policy', { namespace });
  const { className, asGroup, database, ...props } = options;
  const policy = new NuoDbBackup(chart, database, {
    databaseLabel: DATABASE,
    ...usualProps({ className, asGroup }),
    ...props,
  });
  await apply(chart.toJson());
  return { name: policy.policyName, namespace, database: policy.databaseName };
}
