import { Size, Testing } from 'cdk8s';
import { Secret } from 'cdk8s-plus-28';
import { BackupStorage, Neo4jMetadata, Neo4jOnlineRestore, type Neo4jOnlineRestoreProps } from 'stillpoint';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { DUMP_RESTORE_CONFIG, type DumpRestoreConfig, fits } from '../../src/contract';
import { type Manifest, only, podOf, shop } from './synth';

function synth(props: Partial<Neo4jOnlineRestoreProps> = {}): Manifest[] {
  const chart = shop();
  new Neo4jOnlineRestore(chart, 'customer1-back', {
    host: 'graph',
    credentials: Secret.fromSecretName(chart, 'login', 'graph-admin'),
    serverImage: 'neo4j:2025-enterprise',
    storage: BackupStorage.volume({ claimName: 'graph-backups' }),
    database: 'customers',
    backup: '20261126030000',
    scratch: { size: Size.gibibytes(50) },
    ...props,
  });
  return Testing.synth(chart);
}

function spec(props: Partial<Neo4jOnlineRestoreProps> = {}): DumpRestoreConfig['spec'] {
  const document: unknown = parse(only(synth(props), 'ConfigMap').data['restore.yaml']);
  if (!fits(DUMP_RESTORE_CONFIG, document)) throw new Error('the instruction does not fit its schema');
  return document.spec;
}

describe('a Neo4jOnlineRestore', () => {
  it('says what is restored, with roles and no users, checked, and beside what is there', () => {
    expect(spec()).toMatchObject({
      backup: { namespace: 'shop', database: 'customers', id: '20261126030000' },
      connection: { host: 'graph', port: 7687 },
      online: { scratch: '/scratch', metadata: 'roles' },
    });
    expect(Object.keys(spec().online ?? {})).toEqual(['scratch', 'metadata']);
  });

  it('says all that was asked for', () => {
    const props = {
      onlyDatabase: 'customer1-1767741527',
      intoDatabase: 'green',
      switchAlias: 'customer1',
      untilTime: '2026-11-26T02:59:00Z',
      metadata: Neo4jMetadata.ALL,
      consistencyCheck: false,
      replaceExisting: true,
    };
    expect(spec(props)).toMatchObject({
      only: 'customer1-1767741527',
      into: 'green',
      online: { alias: 'customer1', until: '2026-11-26T02:59:00Z', metadata: 'all', check: false, replace: true },
    });
    expect(spec({ untilTransaction: 42 }).online).toMatchObject({ until: '42' });
  });

  it('takes a backup out of a bucket too, opened by an identity', () => {
    const storage = BackupStorage.s3({ bucket: 'backups', region: 'eu-central-1' });
    const props = { storage, identity: Secret.fromSecretName(shop(), 'identity', 'age-identity') };
    expect(spec(props)).toMatchObject({ storage: { kind: 's3' }, identityFile: expect.stringMatching(/identity$/) });
  });

  it('works in a volume of its own, which goes with its pod', () => {
    const { spec: pod } = podOf(
      only(synth({ scratch: { size: Size.gibibytes(50), storageClassName: 'fast' } }), 'Job'),
    );
    const claim = {
      accessModes: ['ReadWriteOnce'],
      storageClassName: 'fast',
      resources: { requests: { storage: '50Gi' } },
    };
    expect(pod.volumes).toContainEqual({ name: 'scratch', ephemeral: { volumeClaimTemplate: { spec: claim } } });
    expect(pod.containers[0].volumeMounts).toContainEqual({ name: 'scratch', mountPath: '/scratch', readOnly: false });
  });

  it.each<[Partial<Neo4jOnlineRestoreProps>, string]>([
    [{ untilTime: '2026-11-26' }, 'has the untilTime "2026-11-26"'],
    [{ untilTime: '2026-13-26T02:59:00Z' }, 'has the untilTime'],
    [{ untilTime: '2026-11-26T02:59:00Z', untilTransaction: 3 }, 'has an untilTime and an untilTransaction'],
    [{ untilTransaction: 0 }, 'has the untilTransaction 0'],
    [{ intoDatabase: '--x' }, 'has the intoDatabase "--x"'],
    [{ switchAlias: 'a*' }, 'has the switchAlias "a*"'],
    [{ replaceExisting: true, switchAlias: 'customer1' }, 'replaces a database whose name is made anew'],
    [{ scratch: undefined as unknown as Neo4jOnlineRestoreProps['scratch'] }, 'has no scratch volume'],
    [{ serverImage: '' }, 'has the serverImage ""'],
  ])('refuses %j', (props, message) => {
    expect(() => synth(props)).toThrow(message);
  });
});
