/** Backups with nobody left to end them. */
import { openGate } from './gate';
import { forget, nthGuard, nthPod, startBackup } from './job';
import type { TestPolicy } from './policy';
import { runnerProcess } from './runner-process';

/** Takes a backup up to its first snapshot, and kills guard and runner there: what is held stays held. */
export async function abandon(policy: TestPolicy): Promise<void> {
  await using gate = await openGate(policy.namespace);
  const asked = gate.hold(({ resource, operation }) => resource === 'volumesnapshots' && operation === 'CREATE');
  const job = await startBackup(policy);
  const { refuse } = await asked;
  const runner = await runnerProcess(await nthPod(job), policy.namespace);
  const guard = await runnerProcess(await nthGuard(job), policy.namespace);
  guard.kill();
  runner.kill();
  await forget(job);
  refuse();
}
