/** What everything on the cluster needs once: the cluster, the images, the bundle, a registry of this run's own. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { SOAK } from '../../support/soak';
import { apply } from './cluster';
import { behave } from './disk';
import { markRun, removeLeftovers, removeRun } from './leftovers';
import { uniqueName } from './namespace';
import { registryObjects } from './registry';
import { thisRun } from './this-run';

const run = promisify(execFile);
const root = resolve(import.meta.dirname, '../../..');
const cluster = resolve(root, process.env.TEST_CLUSTER ?? '../shared/cluster');

const IMAGES = [
  'postgres:17',
  'postgres:15',
  'mariadb:11.8',
  'mysql:9',
  'redis:8',
  'valkey:8',
  'mongo-standin:8',
  'neo4j:5-community',
  'nuodb-standin:1',
  'node:24',
  'versitygw:1',
  ...(SOAK ? ['swift:2', 'fake-gcs-server:1', 'azurite:3'] : []),
];

/** Prepares a run; disposed of, all that it had is gone. */
export async function prepareRun(): Promise<AsyncDisposable> {
  await startCluster();
  await behave();
  await removeLeftovers();
  await run('node', ['scripts/bundle.mjs'], { cwd: root });
  const image = await buildImage();
  const registry = uniqueName('e2e-registry');
  thisRun.is({ image, registry });
  await apply(registryObjects(registry, image));
  await markRun(registry);
  return {
    [Symbol.asyncDispose]: async () => {
      await behave();
      await removeRun(registry);
    },
  };
}

async function startCluster(): Promise<void> {
  if (existsSync(resolve(cluster, 'up'))) {
    const { stdout } = await run(resolve(cluster, 'up'));
    process.env.KUBECONFIG ??= stdout.trim();
    await run(resolve(cluster, 'images'), IMAGES);
  }
  if (process.env.KUBECONFIG === undefined) {
    throw new Error(`the e2e tests need a cluster: set KUBECONFIG, or TEST_CLUSTER (there is nothing at ${cluster})`);
  }
}

/** STILLPOINT_IMAGE stands in for the image of this checkout, on a cluster that it cannot be loaded into from here. */
async function buildImage(): Promise<string> {
  if (process.env.STILLPOINT_IMAGE !== undefined) return process.env.STILLPOINT_IMAGE;
  if (!existsSync(resolve(cluster, 'load'))) {
    throw new Error(
      `the image cannot be loaded into the cluster: set TEST_CLUSTER (there is nothing at ${cluster}), or STILLPOINT_IMAGE`,
    );
  }
  const { stdout } = await run('node', ['scripts/image.mjs', '--tag', 'content'], { cwd: root, maxBuffer: 2 ** 26 });
  return stdout.trim();
}
