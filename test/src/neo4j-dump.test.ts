import { Size, Testing } from 'cdk8s';
import { Secret } from 'cdk8s-plus-28';
import {
  BackupJob,
  BackupSchedule,
  BackupStorage,
  Neo4jDump,
  type Neo4jDumpProps,
  Neo4jDumpRestore,
  type Neo4jDumpRestoreProps,
  Neo4jStore,
} from 'stillpoint';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { DUMP_CONFIG, DUMP_RESTORE_CONFIG, fits } from '../../src/contract';
import { type Manifest, only, podOf, shop } from './synth';

const keys = Secret.fromSecretName(shop(), 'keys', 'store-login');
const storage = BackupStorage.s3({ bucket: 'backups', endpoint: 'http://minio.storage:9000', credentials: keys });
const size = Size.gibibytes(20);

const usual: Neo4jDumpProps = {
  store: Neo4jStore.copyOfClaim('data-graph-0', { size, storageClassName: 'fast' }),
  serverImage: 'neo4j:5-community',
  storage,
  schedule: BackupSchedule.daily({ hour: 3 }),
};

function synth(props: Partial<Neo4jDumpProps> = {}, job = false): Manifest[] {
  const own = shop();
  const backup = new Neo4jDump(own, 'graph-dump', { ...usual, ...props });
  if (job) new BackupJob(own, 'now', { backup });
  return Testing.synth(own);
}

function restore(props: Partial<Neo4jDumpRestoreProps> = {}): Manifest[] {
  const own = shop();
  new Neo4jDumpRestore(own, 'graph-copy', {
    database: 'graph-dump',
    backup: '20261121020000',
    claimName: 'data-graph-copy-0',
    serverImage: 'neo4j:5-community',
    storage,
    ...props,
  });
  return Testing.synth(own);
}

const dataOf = (of: Manifest): Manifest => of.spec.volumes.find(({ name }: Manifest) => name === 'data');
const mountOf = (of: Manifest): Manifest =>
  of.spec.containers[0].volumeMounts.find(({ name }: Manifest) => name === 'data');

describe('a policy of dumps of a Neo4j', () => {
  it('tells the runner which files, which database, and of no server', () => {
    const document = parse(only(synth(), 'ConfigMap').data['backup.yaml']);
    expect(fits(DUMP_CONFIG, document)).toBe(true);
    expect(document.spec.connection).toBeUndefined();
    expect(document.spec.engine).toBe('neo4j');
    expect(document.spec.dump).toEqual({
      files: { directory: '/data', check: true },
      only: 'neo4j',
      compression: 'none',
      layout: 'stillpoint',
      image: 'neo4j:5-community',
    });
  });

  it('names another database, and leaves the check out, where it is told to', () => {
    const props = { onlyDatabase: 'system', consistencyCheck: false };
    const { dump } = parse(only(synth(props), 'ConfigMap').data['backup.yaml']).spec;
    expect([dump.only, dump.files]).toEqual(['system', { directory: '/data' }]);
  });

  it('has a copy of the claim that goes with its pod, and its pod soon after the Job has ended', () => {
    const cronJob = only(synth(), 'CronJob');
    const pod = podOf(cronJob);
    expect(dataOf(pod).ephemeral.volumeClaimTemplate.spec).toEqual({
      accessModes: ['ReadWriteOnce'],
      dataSource: { kind: 'PersistentVolumeClaim', name: 'data-graph-0' },
      storageClassName: 'fast',
      resources: { requests: { storage: '20Gi' } },
    });
    expect(mountOf(pod)).toEqual({ name: 'data', mountPath: '/data', readOnly: false });
    expect(cronJob.spec.jobTemplate.spec.ttlSecondsAfterFinished).toBe(600);
    // What is in Git would be made anew, and would run again.
    expect(only(synth({}, true), 'Job').spec.ttlSecondsAfterFinished).toBeUndefined();
  });

  it('has a copy of a snapshot', () => {
    const store = Neo4jStore.copyOfSnapshot('graph-data-20261121030000', { size, subPath: 'data' });
    const pod = podOf(only(synth({ store }), 'CronJob'));
    expect(dataOf(pod).ephemeral.volumeClaimTemplate.spec).toEqual({
      accessModes: ['ReadWriteOnce'],
      dataSource: { apiGroup: 'snapshot.storage.k8s.io', kind: 'VolumeSnapshot', name: 'graph-data-20261121030000' },
      resources: { requests: { storage: '20Gi' } },
    });
    expect(mountOf(pod).subPath).toBe('data');
  });

  it('has a claim that is there, whose Jobs stay as all do', () => {
    const cronJob = only(synth({ store: Neo4jStore.claim('graph-copy') }), 'CronJob');
    expect(dataOf(podOf(cronJob))).toEqual({ name: 'data', persistentVolumeClaim: { claimName: 'graph-copy' } });
    expect(cronJob.spec.jobTemplate.spec.ttlSecondsAfterFinished).toBeUndefined();
  });

  it("runs in the server's image as the server's user, within the standard `restricted`, with room for a Java machine", () => {
    const { spec } = podOf(only(synth(), 'CronJob'));
    const [runner] = spec.containers;
    expect(runner.image).toBe('neo4j:5-community');
    expect(runner.resources).toEqual({ requests: { cpu: '100m', memory: '512Mi' }, limits: { memory: '1Gi' } });
    expect(spec.securityContext).toMatchObject({
      runAsUser: 7474,
      runAsGroup: 7474,
      fsGroup: 7474,
      runAsNonRoot: true,
    });
    expect(runner.securityContext).toMatchObject({ readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } });
    expect(podOf(only(synth({ serverUser: 1000, serverGroup: 0 }), 'CronJob')).spec.securityContext).toMatchObject({
      runAsUser: 1000,
      runAsGroup: 0,
    });
  });

  it('may do what other dumps may: nothing of claims, snapshots or Secrets', () => {
    const roles = synth({ retention: { keepLast: 3 } }).filter(({ kind }) => /Role$/.test(kind));
    const resources = roles.flatMap((role) => role.rules.flatMap((rule: Manifest) => rule.resources));
    expect([...new Set(resources)].sort()).toEqual([
      'configmaps',
      'deployments/scale',
      'events',
      'jobs',
      'leases',
      'namespaces',
      'pods',
    ]);
  });

  it.each([
    [{ store: undefined as never }, /has no store/],
    [{ store: 'data-graph-0' as never }, /has a store of another kind/],
    [{ onlyDatabase: '*' }, /has the onlyDatabase "\*"/],
    [{ serverImage: '' }, /has the serverImage ""/],
    [{ recipients: ['AGE-SECRET-KEY-1'] }, /has a secret key of age/],
    [{ storage: undefined as never }, /has no storage/],
    [{ compression: 'lz4' as never }, /has the compression "lz4"/],
  ])('is refused with %j', (props, problem) => expect(() => synth(props)).toThrow(problem));
});

describe('a restore of a dump of a Neo4j', () => {
  it('tells the runner where the files go', () => {
    const document = parse(only(restore(), 'ConfigMap').data['restore.yaml']);
    expect(fits(DUMP_RESTORE_CONFIG, document)).toBe(true);
    expect(document.spec).toMatchObject({ file: { directory: '/data' } });
    expect(document.spec.connection).toBeUndefined();
    const more = parse(only(restore({ intoDatabase: 'orders', checkFirst: true }), 'ConfigMap').data['restore.yaml']);
    expect(more.spec).toMatchObject({ into: 'orders', checkFirst: true });
  });

  it('has the claim, and the image of the server', () => {
    const pod = podOf(only(restore({ subPath: 'data' }), 'Job'));
    expect(pod.spec.containers[0].image).toBe('neo4j:5-community');
    expect(dataOf(pod).persistentVolumeClaim).toEqual({ claimName: 'data-graph-copy-0' });
    expect(mountOf(pod)).toEqual({ name: 'data', mountPath: '/data', subPath: 'data', readOnly: false });
    expect(pod.spec.securityContext).toMatchObject({ runAsUser: 7474, fsGroup: 7474 });
  });

  it.each([
    [{ claimName: '' }, /names no claim/],
    [{ intoDatabase: 'A' }, /has the intoDatabase "A"/],
    [{ serverImage: undefined as never }, /has the serverImage undefined/],
  ])('is refused with %j', (props, problem) => expect(() => restore(props)).toThrow(problem));
});
