import { expect, test } from 'vitest';
import { accessRequestOf, backupAccess, type JobConfig, slotName } from '../../../src/contract';
import { apply, eventsOn, KINDS } from '../harness/cluster';
import { backupInProcess, IN_PROCESS_JOB, inProcessConfig } from '../harness/in-process';
import { makeNamespace } from '../harness/namespace';
import { startPostgres } from '../harness/postgres';
import { makeAccount } from './account';
import { forgetRecords, keptLog, makeRetainClass } from './fixture';

/** A thousand databases at 02:00 are a thousand times this. */
const LIMIT = 40;

test.each([
  { how: 'in turn', snapshots: { className: 'disk', slots: 1 } },
  { how: 'cut directly', snapshots: { direct: true } },
])(
  'a whole backup, $how, takes fewer than 40 requests, and no other rights than its policy grants',
  async ({ snapshots }) => {
    await using space = await makeNamespace('requests');
    await using _records = { [Symbol.asyncDispose]: () => forgetRecords(space.name) };
    await using kept = await makeRetainClass('VolumeSnapshotClass');
    await apply([{ ...KINDS.lease, metadata: { name: slotName(0), namespace: space.name } }]);
    const server = await startPostgres({ namespace: space.name, version: '17' });
    await using made = await inProcessConfig(server, space.name);
    const { spec } = made.config;
    const config: JobConfig = { ...made.config, spec: { ...spec, snapshots: { className: kept.name, ...snapshots } } };
    await using account = await makeAccount(space.name, backupAccess(accessRequestOf(config)));
    const record = await backupInProcess(config, account.client, keptLog());
    expect(record.phase).toBe('succeeded');
    expect(record.workload).toMatchObject({ kind: 'StatefulSet', name: server.name, image: server.image });
    expect(record.cuts[0]).toMatchObject({ content: expect.any(String), readyAt: expect.any(String) });
    expect(await eventsOn(KINDS.job, IN_PROCESS_JOB, space.name)).toEqual(
      expect.arrayContaining([expect.stringContaining('SuccessfulSnapshot')]),
    );
    expect(account.client.requestCount, JSON.stringify(account.client.requests)).toBeLessThan(LIMIT);
  },
);
