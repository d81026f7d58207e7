import { describe, expect, test } from 'vitest';
import { copyRestoreConfigBy, copyRestorePodBy, planCopyClaims } from '../../../runner/copy/by-policy';
import { endOfCopyRestore } from '../../../runner/kube/copy-restores';
import { endOfFirst } from '../../../runner/kube/copy-site';
import type { Pod } from '../../../runner/kube/objects';
import type { BackupRecord, CopyConfig } from '../../../src/contract';
import { copyConfig } from '../../support/copy-config';
import { record } from '../../support/record';

const policy = copyConfig(
  { kind: 's3', credentialsDirectory: '/keys', s3: { bucket: 'backups' } },
  { volumes: [{ name: 'data', claim: 'orders-copy-backup-data' }] },
);

const source: BackupRecord = record({
  volumes: [{ name: 'data', role: 'data', claim: 'data-0', mountPath: '/data', subPath: 'pg', capacity: '1Gi' }],
  cuts: [
    {
      ...{ volume: 'data', snapshot: 's', seenBy: 'readyToUse', driverKnown: true },
      ...{ askedAt: '2026-01-01T02:00:01Z', seenAt: '2026-01-01T02:00:02Z' },
    },
  ],
});
const copied = record({
  database: 'orders-copy',
  mode: 'dump',
  store: { kind: 's3', s3: { bucket: 'backups' } },
  copy: {
    of: { namespace: 'shop', database: 'orders-db', id: source.id },
    record: source as unknown as Record<string, unknown>,
    volumes: [{ name: 'data', entries: 100, bytes: 600_000_000 }],
  },
});

const plan = (sizes: readonly string[] = []) => planCopyClaims(copied, source, { claims: ['back'], sizes });

describe('a restore of a copy from a terminal', () => {
  test('makes claims as large as the original was, or as is said, if that has room for the files', () => {
    expect(plan().volumes).toMatchObject([{ name: 'data', claim: 'back', size: '1Gi' }]);
    expect(plan(['2Gi']).volumes[0]?.size).toBe('2Gi');
    expect(() => plan(['500Mi'])).toThrow(
      'volume data would have 500Mi, and the copy takes up to 600409600 bytes of it',
    );
  });

  test('is told what the policy knows of store and registry', () => {
    const place = { name: 'job', namespace: 'shop', identity: 'key' };
    expect(copyRestoreConfigBy(policy, copied, plan().volumes, place).spec).toEqual({
      backup: { namespace: 'shop', database: 'orders-copy', id: copied.id },
      volumes: [{ name: 'data', path: '/volumes/data' }],
      storage: policy.spec.storage,
      identityFile: '/var/run/secrets/stillpoint/identity/identity',
      recordFile: '/var/run/stillpoint/state/record.yaml',
      registry: { namespace: 'stillpoint' },
    });
    const moved = {
      ...policy,
      spec: { ...policy.spec, storage: { kind: 's3', s3: { bucket: 'others' } } },
    } as CopyConfig;
    expect(() => copyRestoreConfigBy(moved, copied, plan().volumes, place)).toThrow('has another storage by now');
  });

  test("runs in the policy's pod: whole volumes are filled first, and prepared where the server has them then", () => {
    const pod = {
      serviceAccountName: 'orders-copy-backup',
      securityContext: { seccompProfile: { type: 'RuntimeDefault' }, runAsUser: 65532, fsGroup: 65532 },
      containers: [
        {
          ...{
            name: 'runner',
            image: 'stillpoint:1',
            args: ['run'],
            securityContext: { readOnlyRootFilesystem: true },
          },
          volumeMounts: [
            { name: 'config', mountPath: '/etc/stillpoint' },
            { name: 'store', mountPath: '/var/run/secrets/stillpoint/store' },
          ],
        },
      ],
      volumes: [{ name: 'config', configMap: { name: 'orders-copy-backup' } }, { name: 'store' }],
    };
    const made = copyRestorePodBy(pod, policy, plan().volumes, { config: 'job', identity: 'key' });
    expect(made.securityContext).toEqual({
      ...{ seccompProfile: { type: 'RuntimeDefault' }, runAsNonRoot: true },
      ...{ runAsUser: 999, runAsGroup: 999, fsGroup: 999 },
    });
    expect(made.initContainers).toMatchObject([
      {
        name: 'fill',
        image: 'stillpoint:1',
        args: ['restore-copy', '--config', '/etc/stillpoint/backup.yaml'],
        volumeMounts: [
          { name: 'config' },
          { name: 'store' },
          { name: 'state' },
          { name: 'volume-0', mountPath: '/volumes/data' },
          { name: 'identity', readOnly: true },
        ],
      },
    ]);
    expect(made.containers).toMatchObject([
      {
        name: 'runner',
        args: ['prepare', '--record-file', '/var/run/stillpoint/state/record.yaml', '--volume', 'data=/data'],
        volumeMounts: [{ name: 'state' }, { name: 'volume-0', mountPath: '/data', subPath: 'pg' }],
      },
    ]);
    expect(made.volumes).toMatchObject([
      { name: 'config', configMap: { name: 'job' } },
      { name: 'store' },
      { name: 'state' },
      { name: 'volume-0', persistentVolumeClaim: { claimName: 'back' } },
      { name: 'identity' },
    ]);
  });
});

describe('how the pods of copies have ended', () => {
  const podWith = (status: object): Pod =>
    ({ metadata: { name: 'p' }, spec: { containers: [] }, status }) as unknown as Pod;
  const ended = (exitCode: number, message: string) => ({ terminated: { exitCode, message } });

  test('a worker says it by its first end, whatever it does when it is started again', () => {
    const of = (status: object): unknown => endOfFirst(podWith({ containerStatuses: [{ name: 'runner', ...status }] }));
    expect(of({ state: { running: {} } })).toBeUndefined();
    expect(of({ state: ended(0, 'first') })).toEqual({ exitCode: 0, reason: 'Completed', message: 'first' });
    expect(of({ state: { running: {} }, lastState: ended(0, 'first') })).toMatchObject({ message: 'first' });
    expect(of({ state: ended(0, 'second'), lastState: ended(4, 'first') })).toEqual({
      ...{ exitCode: 4, reason: 'Error', message: 'first' },
    });
  });

  test('a restore by the container that fills, where that has failed, else by the one that prepares', () => {
    const of = (fill: object, runner: object): unknown =>
      endOfCopyRestore(
        podWith({
          initContainerStatuses: [{ name: 'fill', state: fill }],
          containerStatuses: [{ name: 'runner', state: runner }],
        }),
        'runner',
      );
    expect(of({ running: {} }, { waiting: {} })).toBeUndefined();
    expect(of(ended(7, 'a byte'), { waiting: {} })).toMatchObject({ exitCode: 7, message: 'a byte' });
    expect(of(ended(0, ''), { running: {} })).toBeUndefined();
    expect(of(ended(0, ''), ended(0, 'prepared'))).toMatchObject({ exitCode: 0, message: 'prepared' });
  });
});
