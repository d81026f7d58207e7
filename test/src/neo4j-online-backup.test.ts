import { Size, Testing } from 'cdk8s';
import { Secret } from 'cdk8s-plus-28';
import {
  BackupJob,
  BackupSchedule,
  BackupStorage,
  BackupTrigger,
  Neo4jBackupType,
  Neo4jChainEnd,
  Neo4jOnlineBackup,
  type Neo4jOnlineBackupProps,
} from 'stillpoint';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { DUMP_CONFIG, type DumpConfig, fits } from '../../src/contract';
import { type Manifest, only, podOf, shop } from './synth';

const BUCKET = BackupStorage.s3({ bucket: 'backups', region: 'eu-central-1' });
const scratch = { size: Size.gibibytes(20) };

function synth(props: Partial<Neo4jOnlineBackupProps> = {}, job = false): Manifest[] {
  const chart = shop();
  const backup = new Neo4jOnlineBackup(chart, 'customers', {
    host: 'graph',
    credentials: Secret.fromSecretName(chart, 'login', 'graph-login'),
    serverImage: 'neo4j:2025-enterprise',
    backupServers: ['graph-0.graph:6362', 'graph-1.graph:6362'],
    storage: BackupStorage.volume({ claimName: 'graph-backups' }),
    schedule: BackupSchedule.daily({ hour: 3 }),
    ...props,
  });
  if (job) new BackupJob(chart, 'before', { backup, trigger: BackupTrigger.PRE_DEPLOYMENT });
  return Testing.synth(chart);
}

function config(props: Partial<Neo4jOnlineBackupProps> = {}): DumpConfig {
  const document: unknown = parse(only(synth(props), 'ConfigMap').data['backup.yaml']);
  if (!fits(DUMP_CONFIG, document)) throw new Error('the job config does not fit its schema');
  return document;
}

describe('a Neo4jOnlineBackup', () => {
  it('tells the runner which databases are taken from which servers, and where to', () => {
    const { spec } = config({ aliases: ['customer*'], type: Neo4jBackupType.AUTO });
    expect(spec).toMatchObject({ engine: 'neo4j', database: 'customers', connection: { host: 'graph', port: 7687 } });
    expect(spec.dump).toEqual({
      compression: 'none',
      layout: 'stillpoint',
      image: 'neo4j:2025-enterprise',
      online: {
        from: ['graph-0.graph:6362', 'graph-1.graph:6362'],
        aliases: ['customer*'],
        type: 'auto',
        longestChain: 14,
      },
    });
    expect(spec.storage).toMatchObject({ kind: 'directory', directory: { volume: 'graph-backups' } });
  });

  it('takes the length of a chain where it may begin the next one, and only there', () => {
    const online = (props: Parameters<typeof config>[0]) => config(props).spec.dump.online;
    expect(online({ type: Neo4jBackupType.AUTO, longestChain: 3 })).toMatchObject({ longestChain: 3 });
    expect(online({ type: Neo4jBackupType.DIFFERENTIAL })).not.toHaveProperty('longestChain');
    expect(online({ type: Neo4jBackupType.AUTO, chainEnd: Neo4jChainEnd.AGGREGATE })).toMatchObject({
      longestChain: 14,
      chainEnd: 'aggregate',
    });
    expect(online({ type: Neo4jBackupType.AUTO })).not.toHaveProperty('chainEnd');
    expect(() => config({ chainEnd: Neo4jChainEnd.AGGREGATE })).toThrow(/has a chainEnd, and the type full/);
    expect(() => config({ longestChain: 3 })).toThrow(/has a longestChain, and the type full/);
    expect(() => config({ type: Neo4jBackupType.AUTO, longestChain: 0.5 })).toThrow(/has the longestChain 0.5/);
  });

  it('takes full backups of all databases where nothing is said', () => {
    expect(config().spec.dump.online).toMatchObject({ databases: ['*'], type: 'full' });
  });

  it("runs in the vendor's image, with the volume mounted for writing", () => {
    const { spec } = podOf(only(synth(), 'CronJob'));
    const [runner] = spec.containers;
    expect(runner).toMatchObject({ name: 'runner', image: 'neo4j:2025-enterprise' });
    const { directory } = config().spec.storage;
    expect(runner.volumeMounts).toContainEqual({ name: 'store', mountPath: directory?.path, readOnly: false });
    expect(spec.volumes).toContainEqual({ name: 'store', persistentVolumeClaim: { claimName: 'graph-backups' } });
  });

  it('is uploaded from a volume of the pod alone, encrypted where that was wanted', () => {
    const recipients = ['age1qqqqqqqqqqqqqqqq'];
    const bucket = { storage: BUCKET, scratch, recipients };
    const { dump, storage } = config(bucket).spec;
    expect(dump).toMatchObject({ recipients, online: { type: 'full', scratch: '/scratch' } });
    expect(storage).toMatchObject({ kind: 's3' });
    const { spec } = podOf(only(synth(bucket), 'CronJob'));
    expect(spec.containers[0].volumeMounts).toContainEqual({ name: 'scratch', mountPath: '/scratch', readOnly: false });
    const { ephemeral } = spec.volumes.find(({ name }: { name: string }) => name === 'scratch');
    expect(ephemeral.volumeClaimTemplate.spec.resources.requests).toEqual({ storage: '20Gi' });
    expect(spec.containers[0].resources.limits).toEqual({ memory: '1Gi' });
  });

  it('has a scratch volume for ten minutes after its end, and Jobs that stay as all do where it has none', () => {
    const finishedFor = (props: Partial<Neo4jOnlineBackupProps>): unknown =>
      only(synth(props), 'CronJob').spec.jobTemplate.spec.ttlSecondsAfterFinished;
    expect(finishedFor({ storage: BUCKET, scratch })).toBe(600);
    expect(finishedFor({})).toBeUndefined();
    // What is in Git would be made anew, and would run again.
    const job = only(synth({ storage: BUCKET, scratch }, true), 'Job');
    expect(job.spec.ttlSecondsAfterFinished).toBeUndefined();
  });

  it('is taken before a deployment too, which keeps it until it is released', () => {
    const name = only(synth({}, true), 'Job').metadata.name;
    const document = parse(only(synth({}, true), 'ConfigMap', name).data['backup.yaml']);
    expect(fits(DUMP_CONFIG, document)).toBe(true);
    expect(document.spec).toMatchObject({ trigger: 'pre-deployment', dump: { online: { databases: ['*'] } } });
  });

  it.each([
    [{ backupServers: [] }, 'has the backupServers []'],
    [{ backupServers: ['graph'] }, 'has the backupServers ["graph"]'],
    [{ databases: ['--to-path=x'] }, 'has the databases ["--to-path=x"]'],
    [{ aliases: [] }, 'has the aliases []'],
    [{ storage: BUCKET }, 'has no scratch volume'],
    [{ storage: BUCKET, scratch, type: Neo4jBackupType.AUTO }, 'has the type auto, and a storage of the kind s3'],
    [{ storage: BUCKET, scratch, recipients: ['age'] }, 'has the recipient "age"'],
    [{ scratch }, 'has a scratch volume, and a storage that is one'],
    [{ recipients: ['age1qqqqqqqqqqqqqqqq'] }, 'has recipients, and a volume'],
    [{ serverImage: '' }, 'has the serverImage ""'],
  ])('refuses %j', (props, message) => {
    expect(() => synth(props)).toThrow(message);
  });
});
