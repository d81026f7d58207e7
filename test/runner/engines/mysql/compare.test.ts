import { describe, expect, it } from 'vitest';
import { compareWithRecord } from '../../../../runner/engines/mysql/compare';
import type { Row } from '../../../../runner/engines/mysql/connection';
import { translate } from '../../../../runner/engines/mysql/errors';
import { missingTransactions, normalGtid } from '../../../../runner/engines/mysql/gtid';
import { changesData, type Position } from '../../../../runner/engines/mysql/position';
import type { BackupRecord } from '../../../../src/contract';
import { record } from '../../../support/record';

const A = '1f79e5da-e569-11f1-bc5f-963bd20ece06';

describe('transactions that a copy lacks', () => {
  it.each<[string, string, 'mysql' | 'mariadb', readonly string[]]>([
    [`${A}:1-9`, `${A}:1-9`, 'mysql', []],
    [`${A}:1-9`, `${A}:1-12`, 'mysql', []],
    [`${A}:1-9`, `${A}:1-8`, 'mysql', [`${A}:1-9`]],
    [`${A}:1-9`, '', 'mysql', [`${A}:1-9`]],
    [`${A}:1-3:7`, `${A}:1-3`, 'mysql', [`${A}:7-7`]],
    [`${A}:batch:1-3`, `${A}:1-3`, 'mysql', [`${A}:batch:1-3`]],
    [`${A}:batch:1-3`, `${A}:batch:1-4`, 'mysql', []],
    ['0-1-9', '0-1-9', 'mariadb', []],
    ['0-1-9', '0-2-11', 'mariadb', []],
    ['0-1-9,5-1-2', '0-1-9', 'mariadb', ['5-1-2']],
    ['0-1-9', '0-1-8', 'mariadb', ['0-1-9']],
  ])('%s in %s', (recorded, copy, flavour, missing) => {
    expect(missingTransactions(recorded, copy, flavour)).toEqual(missing);
  });

  it('do not depend on how a set is written', () => {
    expect(normalGtid(`b:1-2,\na:1`)).toBe('a:1,b:1-2');
  });
});

describe('a copy beside its record', () => {
  const POSITION = {
    mode: 'global',
    exact: 'true',
    binlogFile: 'binlog.000004',
    binlogPosition: '416',
    gtid: `${A}:1-9`,
  };

  /** A copy with these logs, and these events in each from its position on. */
  async function compared(
    logs: Readonly<
      Record<string, { readonly size: number; readonly events?: readonly string[]; readonly torn?: boolean }>
    >,
    copy: Position,
    position: Readonly<Record<string, string>> = POSITION,
  ): Promise<readonly string[]> {
    const recorded: BackupRecord = { ...record(), flavour: 'mysql', serverVersion: '9.7.4', position };
    const ask = async (_: string, sql: string): Promise<readonly Row[]> => {
      if (sql === 'SHOW BINARY LOGS') {
        return Object.entries(logs).map(([Log_name, { size }]) => ({ Log_name, File_size: String(size) }));
      }
      const [, file = '', from = '0', count = '1'] = /IN '([^']+)'.* LIMIT (?:(\d+), )?(\d+)$/.exec(sql) ?? [];
      const { events = [], torn = false } = logs[file] ?? {};
      const [begin, end] = [Number(from), Number(from) + Number(count)];
      // The servers read until they have as many as were asked for.
      if (torn && end > events.length) throw translate({ errno: 1220 }, { what: 'reading', phase: 'statement' });
      return events.slice(begin, end).map((Event_type, index) => ({ Event_type, Pos: String(index) }));
    };
    const findings = await compareWithRecord(ask, copy, recorded);
    return findings.filter(({ severity }) => severity === 'error').map(({ subject }) => subject);
  }

  const GTID = { gtid: `${A}:1-9` };

  it('ends exactly there', async () => {
    expect(await compared({ 'binlog.000004': { size: 416 } }, GTID)).toEqual([]);
  });

  it('may go on with what a server writes by itself', async () => {
    const logs = {
      'binlog.000004': { size: 463, events: ['Rotate'] },
      'binlog.000005': { size: 198, events: ['Format_desc', 'Gtid_list', 'Binlog_checkpoint', 'Stop'] },
    };
    expect(await compared(logs, GTID)).toEqual([]);
  });

  it('may have the log torn that was opened under the lock, but not the one that was closed', async () => {
    const closed = { size: 463, events: ['Rotate'] };
    const opened = { size: 373, events: ['Format_desc', 'Gtid_list', 'Binlog_checkpoint'], torn: true };
    expect(await compared({ 'binlog.000004': closed, 'binlog.000005': opened }, GTID)).toEqual([]);
    const more = { ...opened, events: ['Format_desc', 'Gtid'] };
    expect(await compared({ 'binlog.000004': closed, 'binlog.000005': more }, GTID)).toEqual(['position']);
    await expect(compared({ 'binlog.000004': { ...closed, torn: true } }, GTID)).rejects.toThrow('reading failed');
  });

  it('has too much', async () => {
    const logs = { 'binlog.000004': { size: 900, events: ['Gtid', 'Query'] } };
    expect(await compared(logs, GTID)).toEqual(['position']);
    expect(await compared({ 'binlog.000004': { size: 416 } }, { gtid: `${A}:1-10` })).toEqual(['transactions']);
  });

  it('has too little', async () => {
    expect(await compared({ 'binlog.000004': { size: 300 } }, GTID)).toEqual(['position']);
    expect(await compared({ 'binlog.000003': { size: 900 } }, GTID)).toEqual(['position']);
    expect(await compared({ 'binlog.000004': { size: 416 } }, {})).toEqual(['transactions']);
  });

  it('of another mode may go on', async () => {
    const bound = { ...POSITION, mode: 'none', exact: 'false' };
    const logs = { 'binlog.000004': { size: 900, events: ['Gtid', 'Query'] } };
    expect(await compared(logs, { gtid: `${A}:1-12` }, bound)).toEqual([]);
    expect(await compared(logs, { gtid: `${A}:1-8` }, bound)).toEqual(['transactions']);
  });

  it.each(['Query', 'Write_rows', 'Gtid', 'Anonymous_Gtid', 'Xid'])('counts %s as a change', (type) => {
    expect(changesData(type)).toBe(true);
  });
});
