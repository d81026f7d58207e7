/** Safety rule 14: the namespace of a registry is not deleted while records are in it, whoever asks. */
import { Chart, Testing } from 'cdk8s';
import { Registry } from 'stillpoint';
import { expect, inject, test } from 'vitest';
import { systemClock } from '../../../runner/clock';
import { KubernetesRegistry } from '../../../runner/registry/kubernetes';
import { LABELS } from '../../../src/contract';
import { apply, KINDS, patch, read, remove } from '../harness/cluster';
import { removeNamespace, uniqueName } from '../harness/namespace';
import { eventually } from '../harness/wait';
import { connect, cutRequest, keptLog, recordOf } from './fixture';

test('rule 14: a registry cannot be deleted before somebody says that it may', async () => {
  const namespace = uniqueName('e2e-kept');
  const chart = new Chart(Testing.app(), 'registry');
  new Registry(chart, 'registry', {
    namespaceName: namespace,
    image: inject('image'),
    admissionPolicy: false,
    keepNamespace: true,
  });
  await using made = new AsyncDisposableStack();
  made.defer(() => removeNamespace(namespace));
  await apply(chart.toJson());
  const registry = new KubernetesRegistry(await connect(), { namespace, clock: systemClock, log: keptLog() });
  const stored = await registry.create(recordOf('shop', cutRequest([])));

  await eventually('the API server knows the policy', async () => {
    const refused = await remove(KINDS.namespace, namespace, '', undefined, 'All').then(
      () => undefined,
      (error: Error) => error.message,
    );
    return refused?.includes('holds the records of backups');
  });
  const refused = await remove(KINDS.namespace, namespace).catch((error: Error) => error.message);
  expect(refused).toContain('403');
  expect(refused).toContain(`kubectl label namespace ${namespace} stillpoint.dev/removable=true`);
  expect(await read(KINDS.namespace, namespace)).toMatchObject({ status: { phase: 'Active' } });

  await registry.remove(stored);
  await patch(KINDS.namespace, namespace, '', { metadata: { labels: { [LABELS.removable]: 'true' } } });
  await eventually('it can be deleted', async () => {
    await remove(KINDS.namespace, namespace);
    return true;
  });
  await eventually('it is gone', async () => (await read(KINDS.namespace, namespace)) === undefined, { seconds: 120 });
});
