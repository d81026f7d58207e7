import { describe, expect, it } from 'vitest';
import { marksOf } from '../../runner/snapshot-marks';
import { ANNOTATIONS, LABELS, labelValue } from '../../src/contract';
import { record as succeededRecord } from '../support/record';

describe('a snapshot', () => {
  it('tells its batch, its group, the server, and where the binary log stood, as seed 002 has it', () => {
    const record = {
      ...succeededRecord(),
      serverVersion: '11.8.3-MariaDB-0+deb13u1-log',
      freezes: 'writes',
      position: { binlogFile: 'binlog.000042', binlogPosition: '1337', gtid: '0-1-9' },
    };
    const { labels, annotations } = marksOf(record, { volume: record.volumes[0]?.name ?? '' });
    expect(labels).toMatchObject({
      [LABELS.batch]: record.id,
      [LABELS.group]: record.policy,
      [LABELS.type]: 'application-consistent',
      [LABELS.serverVersion]: '11.8.3-MariaDB-0-deb13u1-log',
    });
    expect(annotations).toEqual({
      [ANNOTATIONS.serverVersion]: '11.8.3-MariaDB-0+deb13u1-log',
      [ANNOTATIONS.binlogFile]: 'binlog.000042',
      [ANNOTATIONS.binlogPosition]: '1337',
      [ANNOTATIONS.position]: JSON.stringify(record.position),
    });
  });

  it('is crash-consistent where nothing was held', () => {
    const record = { ...succeededRecord(), freezes: 'nothing' };
    expect(marksOf(record, { volume: 'data' }).labels[LABELS.type]).toBe('crash-consistent');
  });

  it('is of its own member, where there are several', () => {
    const one = succeededRecord();
    const volume = { ...one.volumes[0], name: 'stock-data', role: 'data' as const, claim: 'c', member: 'stock' };
    const members = [
      { name: 'stock', engine: 'mysql' as const, serverVersion: '9.4.0', position: { binlogFile: 'b.1' } },
    ];
    const marks = marksOf({ ...one, volumes: [volume], members }, { volume: 'stock-data' });
    expect(marks.labels).toMatchObject({ [LABELS.engine]: 'mysql', [LABELS.serverVersion]: '9.4.0' });
    expect(marks.annotations[ANNOTATIONS.binlogFile]).toBe('b.1');
  });
});

describe('the value of a label', () => {
  it.each([
    ['17.12', '17.12'],
    ['feature/in place+1', 'feature-in-place-1'],
    ['--x--', 'x'],
    ['a'.repeat(80), 'a'.repeat(63)],
    [`${'a'.repeat(62)}-b`, 'a'.repeat(62)],
    ['', ''],
  ])('of %j is %j', (text, value) => {
    expect(labelValue(text)).toBe(value);
  });
});
