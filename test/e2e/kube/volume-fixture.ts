/** The cluster's snapshots as the contract of all snapshot stores takes them: volumes in a pod that files go to. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { systemClock } from '../../../runner/clock';
import { KubernetesRemover } from '../../../runner/kube/pruning';
import { KubernetesSnapshots } from '../../../runner/snapshots/kubernetes';
import type { Cut } from '../../../src/contract';
import type { SnapshotStoreFixture } from '../../integration/contract/snapshot-store';
import { apply, KINDS, read } from '../harness/cluster';
import { makeNamespace, uniqueName } from '../harness/namespace';
import { eventually } from '../harness/wait';
import { connect, cutRequest, keptLog, makeRetainClass, makeVolumes, recordOf } from './fixture';

const run = promisify(execFile);

/** A store of a class that retains, in a namespace of its own. */
export async function clusterFixture(direct: boolean): Promise<SnapshotStoreFixture> {
  const space = await makeNamespace('store');
  const kept = await makeRetainClass('VolumeSnapshotClass');
  const [client, volumes] = [await connect(), await makeVolumes(space.name, ['data', 'wal'])];
  const context = { client, namespace: space.name, className: kept.name, clock: systemClock, log: keptLog() };
  const remover = new KubernetesRemover(client, context);
  await startPod(space.name, 'writer', Object.fromEntries(volumes.map(({ name, claim }) => [name, claim])));
  return {
    store: new KubernetesSnapshots({ ...context, direct }),
    volumes,
    write: async ({ name }, file, content) => {
      await inPod(
        space.name,
        'writer',
        `require('fs').writeFileSync('/${name}/${file}', '${content}', { flush: true })`,
      );
    },
    read: (cut, file) => readCut(space.name, cut, file),
    prune: async ({ id, jobUid, names }, leftovers) => {
      if (leftovers.length === 0) return [];
      const request = { ...cutRequest(volumes), id, jobUid, database: 'contract' };
      const record = recordOf(space.name, request, { leftovers, plannedSnapshots: names });
      return await remover.remove({ record, version: '', deletionRequested: false });
    },
    remove: async () => {
      await space[Symbol.asyncDispose]();
      await kept[Symbol.asyncDispose]();
    },
  };
}

async function readCut(namespace: string, { snapshot }: Cut, file: string): Promise<string | undefined> {
  const name = uniqueName('copy');
  await apply([
    {
      ...KINDS.claim,
      metadata: { name, namespace },
      spec: {
        accessModes: ['ReadWriteOnce'],
        resources: { requests: { storage: '64Mi' } },
        dataSourceRef: { apiGroup: 'snapshot.storage.k8s.io', kind: 'VolumeSnapshot', name: snapshot },
      },
    } as object,
  ]);
  await startPod(namespace, name, { copy: name });
  const said = await inPod(
    namespace,
    name,
    `const f = '/copy/${file}'; console.log(JSON.stringify(require('fs').existsSync(f) ? { text: require('fs').readFileSync(f, 'utf8') } : {}))`,
  );
  return (JSON.parse(said) as { text?: string }).text;
}

/** A pod that does nothing, with claims mounted under their names. */
async function startPod(namespace: string, name: string, claims: Readonly<Record<string, string>>): Promise<void> {
  const volumes = Object.entries(claims);
  await apply([
    {
      ...KINDS.pod,
      metadata: { name, namespace },
      spec: {
        terminationGracePeriodSeconds: 0,
        containers: [
          {
            name: 'node',
            image: 'node:24',
            command: ['node', '-e', 'setInterval(() => {}, 1e6)'],
            volumeMounts: volumes.map(([volume]) => ({ name: volume, mountPath: `/${volume}` })),
          },
        ],
        volumes: volumes.map(([volume, claimName]) => ({ name: volume, persistentVolumeClaim: { claimName } })),
      },
    } as object,
  ]);
  await eventually(`pod ${name} runs`, async () => {
    return (await read(KINDS.pod, name, namespace))?.status?.phase === 'Running';
  });
}

async function inPod(namespace: string, pod: string, code: string): Promise<string> {
  return (await run('kubectl', ['exec', '-n', namespace, pod, '--', 'node', '-e', code])).stdout;
}
