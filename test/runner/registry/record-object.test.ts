import { describe, expect, it } from 'vitest';
import type { ConfigMap } from '../../../runner/kube/objects';
import { recordData, recordIn, recordObject, summaryOf } from '../../../runner/registry/record-object';
import { type BackupRecord, FINALIZER, LABELS, RECORDED_ENGINES } from '../../../src/contract';
import { record } from '../../support/record';

const object = recordObject(record(), 'stillpoint');

/** The object with other labels or another name. */
const named = (change: Partial<ConfigMap['metadata']>): ConfigMap => ({
  ...object,
  metadata: { ...object.metadata, ...change },
});
const holding = (content: BackupRecord): ConfigMap => ({ ...object, ...recordData(content) });
const labelled = (change: Readonly<Record<string, string>>): ConfigMap =>
  named({ labels: { ...object.metadata.labels, ...change } });

describe('a record as a ConfigMap', () => {
  it('is read as it was written', () => {
    expect(object.metadata).toMatchObject({
      name: 'shop.orders-db.20260101020000',
      namespace: 'stillpoint',
      finalizers: [FINALIZER],
    });
    expect(recordIn(object)).toEqual(record());
  });

  it.each(RECORDED_ENGINES)('is summed up by its labels, also one of %s', (engine) => {
    const { namespace, database, id, phase, trigger } = record();
    expect(summaryOf(recordObject(record({ engine }), 'stillpoint'))).toEqual({
      ...{ namespace, database, id, phase, trigger },
      engine,
    });
  });

  it.each([
    [['the storage says no'], true],
    [[], undefined],
  ])('says by its labels whether what an import names is gone: %j', (missing, expected) => {
    const imported = { at: '2026-01-02T00:00:00Z', from: {}, ownsData: false };
    const looked = { ...imported, look: { at: '2026-01-03T00:00:00Z', missing } };
    const object = recordObject(record({ imported: looked }), 'stillpoint');
    expect(object.metadata.labels?.[LABELS.snapshotMissing]).toBe(`${expected === true}`);
    expect(summaryOf(object)?.missing).toBe(expected);
    const never = recordObject(record({ imported }), 'stillpoint');
    expect(never.metadata.labels).not.toHaveProperty([LABELS.snapshotMissing]);
  });

  it('may carry labels of others, and in its phase be ahead of its label', () => {
    expect(recordIn(labelled({ team: 'shop', [LABELS.phase]: 'cut' }))).toEqual(record());
  });
});

describe('rule 9: an object that speaks of two backups is nobody’s record', () => {
  it.each<[string, ConfigMap, string]>([
    [
      'its content is of another namespace',
      holding(record({ namespace: 'bank' })),
      'record stillpoint/shop.orders-db.20260101020000 has the content of bank.orders-db.20260101020000',
    ],
    [
      'its content is of another database',
      holding(record({ database: 'users-db' })),
      'has the content of shop.users-db.20260101020000',
    ],
    [
      'its content is of another backup',
      holding(record({ id: '20260101030000' })),
      'has the content of shop.orders-db.20260101030000',
    ],
    ['its name is another one', named({ name: 'mine' }), 'record stillpoint/mine has the content of shop.orders-db.'],
    [
      'its label is of another namespace',
      labelled({ [LABELS.namespace]: 'bank' }),
      `has the label ${LABELS.namespace}: bank, and by its content it is shop`,
    ],
    ['its label is of another database', labelled({ [LABELS.database]: 'users-db' }), `${LABELS.database}: users-db`],
    [
      'its label is of another backup',
      labelled({ [LABELS.backup]: '20260101030000' }),
      `${LABELS.backup}: 20260101030`,
    ],
    ['it is not labelled as a record', labelled({ [LABELS.component]: 'backup' }), `${LABELS.component}: backup`],
    ['it has no labels', named({ labels: {} }), `${LABELS.component}: (none), and by its content it is record`],
  ])('%s', (_, strange, message) => {
    expect(() => recordIn(strange)).toThrow(
      expect.objectContaining({
        code: 'record-unreadable',
        message: expect.stringContaining(message),
        hint: expect.stringContaining('nothing is restored or deleted by it'),
      }),
    );
  });
});
