import { expect, test } from 'vitest';
import { accessRequestOf, backupAccess } from '../../../src/contract';
import { eventsOn, KINDS } from '../harness/cluster';
import { backupInProcess, IN_PROCESS_JOB, inProcessConfig } from '../harness/in-process';
import { makeNamespace } from '../harness/namespace';
import { startPostgres } from '../harness/postgres';
import { makeAccount } from './account';
import { forgetRecords, keptLog } from './fixture';

/** A thousand databases at 02:00 are a thousand times this. */
const LIMIT = 40;

test('a whole backup takes fewer than 40 requests, and no other rights than its policy grants', async () => {
  await using space = await makeNamespace('requests');
  await using _records = { [Symbol.asyncDispose]: () => forgetRecords(space.name) };
  const server = await startPostgres({ namespace: space.name, version: '17' });
  await using made = await inProcessConfig(server, space.name);
  await using account = await makeAccount(space.name, backupAccess(accessRequestOf(made.config)));
  const record = await backupInProcess(made.config, account.client, keptLog());
  expect(record.phase).toBe('succeeded');
  expect(record.workload).toMatchObject({ kind: 'StatefulSet', name: server.name, image: server.image });
  expect(record.cuts[0]).toMatchObject({ content: expect.any(String), readyAt: expect.any(String) });
  expect(await eventsOn(KINDS.job, IN_PROCESS_JOB, space.name)).toEqual(
    expect.arrayContaining([expect.stringContaining('SuccessfulSnapshot')]),
  );
  expect(account.client.requestCount).toBeLessThan(LIMIT);
});
