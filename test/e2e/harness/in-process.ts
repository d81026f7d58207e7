/**
 * A backup in the process of the test, where the requests of its client can be counted. The pod that stands for the
 * runner's does nothing: it gives the backup its Job.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../runner/clock';
import { backup } from '../../../runner/commands/backup';
import type { KubeClient } from '../../../runner/kube/client';
import type { Log } from '../../../runner/ports';
import { kubernetesBackup } from '../../../runner/wiring/kubernetes';
import { API_VERSION, type BackupRecord, JOB_CONFIG_KIND, type JobConfig } from '../../../src/contract';
import { apply, KINDS, list } from './cluster';
import { BACKUP_PASSWORD, type TestPostgres } from './postgres';
import { eventually } from './wait';

/** The name of the Job that the backup belongs to. */
export const IN_PROCESS_JOB = 'in-process';

/** The job config of a server with one volume; its credentials are files of this machine until it is disposed of. */
export async function inProcessConfig(
  server: TestPostgres,
  registry: string,
): Promise<AsyncDisposable & { readonly config: JobConfig }> {
  const folder = await mkdtemp(join(tmpdir(), 'stillpoint-in-process-'));
  await writeFile(join(folder, 'username'), 'stillpoint');
  await writeFile(join(folder, 'password'), BACKUP_PASSWORD);
  const config: JobConfig = {
    apiVersion: API_VERSION,
    kind: JOB_CONFIG_KIND,
    metadata: { name: server.name, namespace: server.namespace },
    spec: {
      engine: 'postgres',
      database: server.name,
      connection: {
        host: await server.address(),
        port: 5432,
        database: 'postgres',
        usernameFile: join(folder, 'username'),
        passwordFile: join(folder, 'password'),
        tls: { mode: 'disable' },
      },
      volumes: [{ name: 'data', role: 'data', claim: server.claims.data }],
      snapshots: { className: 'disk' },
      registry: { namespace: registry },
    },
  };
  return { config, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
}

/** Takes a backup as the runner does that the Job of this name has started. */
export async function backupInProcess(config: JobConfig, client: KubeClient, log: Log): Promise<BackupRecord> {
  const namespace = config.metadata.namespace ?? '';
  const world = {
    env: { POD_NAME: await jobPod(namespace), POD_NAMESPACE: namespace },
    clock: systemClock,
    log,
    signal: new AbortController().signal,
    version: '0.0.0',
  };
  return await backup(
    await kubernetesBackup(config, { registry: config.spec.registry.namespace ?? '' }, client, world),
  );
}

async function jobPod(namespace: string): Promise<string> {
  const container = { name: 'runner', image: 'node:24', command: ['node', '-e', 'setInterval(() => {}, 1e6)'] };
  const spec = { template: { spec: { restartPolicy: 'Never', containers: [container] } } };
  await apply([{ ...KINDS.job, metadata: { name: IN_PROCESS_JOB, namespace }, spec } as object]);
  return await eventually('its pod is there', async () => {
    return (await list(KINDS.pod, namespace, `batch.kubernetes.io/job-name=${IN_PROCESS_JOB}`))[0]?.metadata?.name;
  });
}
