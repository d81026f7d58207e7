import { describe, expect, test } from 'vitest';
import { planFolders } from '../../../runner/restore/folders';
import { type ClaimWishes, planClaims, restoreName } from '../../../runner/restore/plan';
import type { BackupRecord, Cut, RecordedVolume } from '../../../src/contract';
import { recordOfTwoVolumes, recordWith } from '../../support/records';

const wishes = (change: Partial<ClaimWishes> = {}): ClaimWishes => ({
  claims: ['copy'],
  sizes: [],
  image: 'stillpoint:1',
  ...change,
});

const withVolume = (change: Partial<RecordedVolume>): BackupRecord => {
  const record = recordWith();
  return { ...record, volumes: record.volumes.map((volume) => ({ ...volume, ...change })) };
};

const withCut = (change: Partial<Cut>): BackupRecord => {
  const record = recordWith();
  return { ...record, cuts: record.cuts.map((cut) => ({ ...cut, ...change })) };
};

describe('the claims of a restore', () => {
  test('one volume becomes the claim that was named, as the original was', () => {
    const plan = planClaims(recordWith(), wishes());
    expect(plan).toMatchObject({ name: 'copy', namespace: 'shop', image: 'stillpoint:1' });
    expect(plan.volumes).toMatchObject([
      {
        name: 'data',
        claim: 'copy',
        size: '10Gi',
        storageClass: 'fast',
        accessModes: ['ReadWriteOnce'],
        mountPath: '/var/lib/postgresql/data',
      },
    ]);
  });

  test('several volumes become <claim>-<volume>, and one of them may have a name of its own', () => {
    const plan = planClaims(recordOfTwoVolumes(), wishes({ claims: ['copy', 'wal=log-of-the-copy'] }));
    expect(plan.name).toBe('copy');
    expect(plan.volumes.map(({ claim }) => claim)).toEqual(['copy-data', 'log-of-the-copy']);
  });

  test('all volumes named one by one: the restore is called as the claim of the data', () => {
    const plan = planClaims(recordOfTwoVolumes(), wishes({ claims: ['wal=w', 'data=d'] }));
    expect(plan.name).toBe('d');
    expect(plan.volumes.map(({ claim }) => claim)).toEqual(['d', 'w']);
  });

  test('another namespace, class and size', () => {
    const plan = planClaims(
      recordOfTwoVolumes(),
      wishes({ namespace: 'staging', storageClass: 'slow', sizes: ['20Gi', 'wal=3Gi'] }),
    );
    expect(plan.namespace).toBe('staging');
    expect(plan.volumes.map(({ size, storageClass }) => [size, storageClass])).toEqual([
      ['20Gi', 'slow'],
      ['3Gi', 'slow'],
    ]);
  });

  test('as large as the original where the snapshot needs less, and the other way round', () => {
    expect(planClaims(withCut({ restoreSize: '1Gi' }), wishes()).volumes[0]?.size).toBe('10Gi');
    expect(planClaims(withCut({ restoreSize: '12Gi' }), wishes()).volumes[0]?.size).toBe('12Gi');
    expect(planClaims(withCut({ restoreSize: '0' }), wishes()).volumes[0]?.size).toBe('10Gi');
  });

  test('the runner of the backup prepares it, unless another is named', () => {
    const record = recordWith({ runnerImage: 'stillpoint:then' });
    expect(planClaims(record, wishes({ image: undefined })).image).toBe('stillpoint:then');
    expect(planClaims(record, wishes()).image).toBe('stillpoint:1');
  });
});

describe('what is refused before anything is made', () => {
  const two = recordOfTwoVolumes();
  const ofUnknownSize = { ...withVolume({ capacity: undefined }), cuts: withCut({ restoreSize: undefined }).cuts };
  test.each<[string, BackupRecord, Partial<ClaimWishes>, RegExp]>([
    ['no claim', recordWith(), { claims: [] }, /no claim is named for volume data/],
    ['a volume without a claim', two, { claims: ['data=d'] }, /no claim is named for volume wal/],
    ['a volume that is not there', two, { claims: ['copy', 'temp=t'] }, /no volume temp/],
    ['two names for all', two, { claims: ['a', 'b'] }, /--claim is given twice: both a and b/],
    ['two names for one', two, { claims: ['a', 'wal=b', 'wal=c'] }, /twice: b and c for volume wal/],
    [
      'one claim for two volumes',
      two,
      { claims: ['data=x', 'wal=x'] },
      /volumes data and wal would both become claim x/,
    ],
    ['a name that is none', recordWith(), { claims: ['Copy_1'] }, /"Copy_1" is no name for a claim/],
    ['an empty name', recordWith(), { claims: ['data='] }, /"" is no name for a claim/],
    ['a size that is none', recordWith(), { sizes: ['ten'] }, /"ten" is no size for volume data/],
    ['a size of nothing', recordWith(), { sizes: ['0'] }, /"0" is no size/],
    ['a smaller size', recordWith(), { sizes: ['10G'] }, /10G is too small for volume data: it takes 10Gi/],
    ['no image', recordWith(), { image: undefined }, /names no runner image/],
    ['an unknown size', ofUnknownSize, {}, /does not say how large volume data is/],
  ])('%s', (_, record, change, message) => {
    expect(() => planClaims(record, wishes(change))).toThrow(
      expect.objectContaining({ code: 'usage-invalid', message: expect.stringMatching(message) }),
    );
  });

  test.each<[string, BackupRecord, RegExp]>([
    ['a block device', withVolume({ volumeMode: 'Block' }), /is a block device/],
    [
      'a volume that nobody mounted',
      withVolume({ mountPath: undefined }),
      /does not say where volume data was mounted/,
    ],
    ['a volume without a snapshot', { ...recordWith(), cuts: [] }, /no snapshot of volume data/],
    ['no volumes', { ...recordWith(), volumes: [] }, /has no volumes/],
  ])('%s', (_, record, message) => {
    expect(() => planClaims(record, wishes())).toThrow(
      expect.objectContaining({ code: 'backup-not-restorable', message: expect.stringMatching(message) }),
    );
  });
});

describe('the name of a restore', () => {
  test('is that of the claim, where it fits', () => {
    expect(restoreName('orders-copy')).toBe('orders-copy');
  });

  test('is short, a label, and still one of its own where it does not', () => {
    const long = 'a'.repeat(80);
    const names = [long, `${long}b`, 'a.b', 'a-b', `${'a'.repeat(42)}.${'b'.repeat(20)}`].map(restoreName);
    for (const name of names) expect(name).toMatch(/^[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?$/);
    expect(new Set(names).size).toBe(names.length);
  });
});

describe('the folders of a restore', () => {
  const folders = (claims: Readonly<Record<string, string>>): BackupRecord => {
    const record = recordOfTwoVolumes();
    return { ...record, volumes: record.volumes.map((volume) => ({ ...volume, claim: claims[volume.name] ?? '' })) };
  };

  test('one beside the other', () => {
    const plan = planFolders(folders({ data: '/pg/data', wal: '/pg/wal' }), '/target');
    expect(plan.volumes.map(({ claim }) => claim)).toEqual(['/target/data', '/target/wal']);
  });

  test('one inside the other, as it was', () => {
    const plan = planFolders(folders({ data: '/pg/data', wal: '/pg/data/pg_wal' }), '/target');
    expect(plan.volumes.map(({ claim }) => claim)).toEqual(['/target/data', '/target/data/pg_wal']);
  });

  test('a name that begins alike is not inside', () => {
    const plan = planFolders(folders({ data: '/pg/data', wal: '/pg/data-wal' }), '/target');
    expect(plan.volumes.map(({ claim }) => claim)).toEqual(['/target/data', '/target/wal']);
  });

  test('claims are none', () => {
    expect(() => planFolders(recordWith(), '/target')).toThrow(/is one of claims \(data-orders-db-0\), not of folders/);
  });
});
