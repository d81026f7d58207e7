/**
 * A database that looks as one of an operator's: its pod has the labels that Spotahome's redis-operator sets, and a probe that
 * asks the server. No operator runs here: what they do is not shown, only that they are seen.
 */
import { RedisMode } from 'stillpoint';
import { expect, test } from 'vitest';
import { succeeded, takeBackup } from './harness/backup';
import { KINDS, patch, read } from './harness/cluster';
import { makeNamespace } from './harness/namespace';
import { applyRedisPolicy } from './harness/policy';
import { startRedis, type TestRedis } from './harness/redis';
import { eventually } from './harness/wait';

const LABEL = 'redisfailovers.databases.spotahome.com/name';

/** With Kubernetes' own defaults: three tries, 10 s apart, of 1 s each. */
const PROBE = { exec: { command: ['redis-cli', 'ping'] } };

/** Gives the server's pod the label and the probe, as its operator would have made it. */
async function asOfAnOperator({ name, pod, namespace }: TestRedis): Promise<void> {
  const set = await read(KINDS.statefulSet, name, namespace);
  const [container] = set?.spec.template.spec.containers ?? [];
  const template = {
    metadata: { labels: { [LABEL]: 'sessions' } },
    spec: { containers: [{ ...container, livenessProbe: PROBE }] },
  };
  await patch(KINDS.statefulSet, name, namespace, { spec: { template } });
  await eventually('its pod was made anew, and is ready', async () => {
    const found = await read(KINDS.pod, pod, namespace);
    const ready = (found?.status?.conditions ?? []).some(
      ({ type, status }: { type: string; status: string }) => type === 'Ready' && status === 'True',
    );
    return ready && found?.metadata?.labels?.[LABEL] !== undefined;
  });
}

test('who runs a server is on record, and what may fight over its freeze is warned of', async () => {
  await using namespace = await makeNamespace('operators');
  const server = await startRedis({ namespace: namespace.name, image: 'redis:8', appendOnly: false });
  await asOfAnOperator(server);
  const policy = await applyRedisPolicy(server, { mode: RedisMode.RDB_PAUSED });

  const end = await takeBackup(policy);
  const record = succeeded(end);
  expect(record.workload).toMatchObject({ operator: { name: 'spotahome-redis-operator', object: 'sessions' } });
  const warned = end.pods.flatMap(({ log }) => log).filter(({ subject }) => subject !== undefined);
  expect(warned.map(({ code, message }) => `${code}: ${message}`)).toEqual([
    expect.stringMatching(
      /^operator-conflict: pod .* is run by Spotahome's redis-operator: it sets what its customConfig/,
    ),
    expect.stringMatching(
      /^probe-impatient: the liveness probe \(exec\) of container server of pod .* gives up after 21 s, and the budget is 30 s/,
    ),
  ]);
});
