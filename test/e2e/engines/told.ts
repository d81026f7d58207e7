/** What every failure has in common, whatever its reason: it is told, and leaves nothing behind. */
import { expect } from 'vitest';
import type { AttemptEnd } from '../harness/backup';
import { prune } from '../harness/job';
import type { TestPolicy } from '../harness/policy';
import { snapshotsLeft } from '../harness/records';
import { eventually } from '../harness/wait';
import type { TestServer } from './adapter';

/** A code and an exit code of its own, a hint, a record, an Event, no secrets; nothing left at the server or the storage. */
export async function expectTold(
  end: AttemptEnd,
  { server, policy }: { readonly server: TestServer; readonly policy: TestPolicy },
  code: string,
  exitCode: number,
): Promise<void> {
  expect({ exitCode: end.pod.exitCode, code: end.error?.code }, end.error?.message).toEqual({ exitCode, code });
  expect(end.error?.hint, 'an error says what to do').toMatch(/\w/);
  expect(end.record).toMatchObject({ phase: 'failed', error: { code } });
  expect(end.events.at(-1)).toMatch(new RegExp(`^Warning FailedSnapshot: .*\\(${code}\\)$`));
  const written = JSON.stringify([end.pod.log, end.record, end.events]);
  for (const secret of server.secrets) expect(written).not.toContain(secret);
  await expectNothingHeld(server);
  await expectNothingLeft(policy, end.record?.leftovers);
}

/** Sessions, locks, settings: the server is as it was. */
export async function expectNothingHeld(server: TestServer): Promise<void> {
  await eventually('nothing is held at the server', async () => (await server.held()).length === 0, { seconds: 10 });
}

/** The runner removes its snapshots; the contents, which the class retains, are in the record for the pruner. */
export async function expectNothingLeft(
  { namespace, database }: TestPolicy,
  leftovers: readonly string[] | undefined,
): Promise<void> {
  const left = (): Promise<readonly string[]> => snapshotsLeft(namespace, `${database}-`);
  await eventually('its snapshots are gone', async () => (await left()).every((name) => /Content of/.test(name)));
  if ((await left()).length === 0) return;
  expect(leftovers?.join(' '), 'what is left is on record').toMatch(/volumesnapshotcontent/i);
  await eventually('the pruner has removed the rest', async () => {
    await prune();
    return (await left()).length === 0;
  });
}
