import { describe, expect, test } from 'vitest';
import type { RestoreResult } from '../../../runner/commands/restore';
import { formatRestore, formatUndone } from '../../../runner/output/restore';

const result: RestoreResult = {
  restore: 'copy',
  namespace: 'staging',
  backup: { namespace: 'shop', database: 'orders-db', id: '20261121020417' },
  volumes: [
    { volume: 'data', claim: 'copy', size: '10Gi', storageClass: 'fast', mountPath: '/var/lib/postgresql/data' },
  ],
  prepared: { dataPath: '/var/lib/postgresql/data/pgdata', uid: 999, gid: 998, done: ['wrote backup_label'] },
  server: {
    kept: true,
    reach: ['kubectl port-forward -n staging pod/copy-server 5432'],
    recorded: { lsn: '0/3000148', startLsn: '0/3000028' },
    inspection: {
      version: '17.6',
      identity: {},
      position: { lsn: '0/4000028', timeline: '2' },
      findings: [{ severity: 'ok', code: 'ok', subject: 'position', message: 'its position is not behind' }],
    },
  },
  warnings: [],
};

describe('what a restore made', () => {
  test('for people: where it is, whose the files are, and the position beside the recorded one', () => {
    expect(formatRestore(result, 'table')).toBe(`\
VOLUME   CLAIM          SIZE   CLASS   MOUNT AT
data     staging/copy   10Gi   fast    /var/lib/postgresql/data

The files belong to user 999, group 998; the server starts on /var/lib/postgresql/data/pgdata.

A server of version 17.6 came up on them:
  its position is not behind

POSITION   RECORDED    RESTORED
lsn        0/3000148   0/4000028
timeline   <none>      2

It still runs:
  kubectl port-forward -n staging pod/copy-server 5432
`);
  });

  test('for scripts: all of it, or the names of the claims', () => {
    expect(JSON.parse(formatRestore(result, 'json'))).toEqual(result);
    expect(formatRestore(result, 'name')).toBe('copy\n');
  });

  test('in folders there are no classes and no mounts', () => {
    const volumes = [{ volume: 'data', claim: '/target/data', mountPath: '/pg' }];
    expect(formatRestore({ ...result, namespace: '', volumes, server: undefined }, 'table')).toMatch(
      /^VOLUME {3}FOLDER\ndata {5}\/target\/data\n/,
    );
  });
});

test('what was undone, and what its class retains', () => {
  const undone = { removed: ['claim staging/copy'], kept: ['persistentvolume pvc-1'] };
  expect(formatUndone(undone, 'table')).toBe(`\
claim staging/copy removed
persistentvolume pvc-1 kept, as its class says; to be rid of it: kubectl patch persistentvolume pvc-1 -p '{"spec":{"persistentVolumeReclaimPolicy":"Delete"}}'
`);
  expect(JSON.parse(formatUndone(undone, 'json'))).toEqual(undone);
});
