import { describe, expect, it } from 'vitest';
import type { Row } from '../../../../runner/engines/mysql/connection';
import type { ServerFacts } from '../../../../runner/engines/mysql/facts';
import { latest, readReplicaPosition } from '../../../../runner/engines/mysql/replication';
import { dialectOf } from '../../../../runner/engines/mysql/versions';

/** What MySQL 9 and MariaDB 11.8 said, as far as it is read. */
const MYSQL = {
  Source_Host: 'primary',
  Source_Port: '3306',
  Source_Log_File: 'binlog.000002',
  Read_Source_Log_Pos: '108734',
  Relay_Source_Log_File: 'binlog.000002',
  Exec_Source_Log_Pos: '80690',
  Replica_IO_Running: 'Yes',
  Replica_SQL_Running: 'Yes',
  Seconds_Behind_Source: '1',
};
const MARIADB = {
  Master_Host: 'primary',
  Master_Port: '3306',
  Master_Log_File: 'mysqld-bin.000002',
  Read_Master_Log_Pos: '52049',
  Relay_Master_Log_File: 'mysqld-bin.000002',
  Exec_Master_Log_Pos: '34537',
  Slave_IO_Running: 'Yes',
  Slave_SQL_Running: 'No',
  Seconds_Behind_Master: null,
};
const WORKERS: readonly Row[] = [
  { file: 'binlog.000002', position: '105290' },
  { file: 'binlog.000002', position: '106766' },
];

function read(
  version: string,
  settings: Record<string, string>,
  answers: { readonly status: readonly Row[]; readonly workers?: readonly Row[]; readonly gtid?: string },
): ReturnType<typeof readReplicaPosition> {
  const server = { dialect: dialectOf(version), settings } as unknown as ServerFacts;
  return readReplicaPosition(async (_, sql) => {
    if (sql.includes('STATUS')) return answers.status;
    if (!sql.includes('slave_worker_info')) return [{ gtid: answers.gtid ?? '' }];
    if (answers.workers === undefined) throw new Error('may not read it');
    return answers.workers;
  }, server);
}

const ORDERED = { replica_parallel_workers: '4', replica_preserve_commit_order: 'ON' };

describe('the position of a replica', () => {
  it('is nothing of a primary', async () => {
    expect(await read('9.7.4', ORDERED, { status: [] })).toEqual({});
  });

  it('is that of the worker that has come furthest: what the status shows is their last checkpoint', async () => {
    expect(await read('9.7.4', ORDERED, { status: [MYSQL], workers: WORKERS })).toEqual({
      source: 'primary:3306',
      sourceFile: 'binlog.000002',
      sourcePosition: '106766',
      sourceExact: 'true',
      receivedFile: 'binlog.000002',
      receivedPosition: '108734',
      behindSeconds: '1',
    });
  });

  it.each([
    ['the workers may not be seen', ORDERED, undefined],
    ['they commit in any order', { ...ORDERED, replica_preserve_commit_order: 'OFF' }, WORKERS],
  ])('is a lower bound where %s', async (_, settings, workers) => {
    const position = await read('9.7.4', settings, { status: [MYSQL], ...(workers === undefined ? {} : { workers }) });
    expect(position).toMatchObject({ sourcePosition: '80690', sourceExact: 'false' });
  });

  it('is what the status shows where there are no workers, with the transactions of the source', async () => {
    const position = await read(
      '11.8.6-MariaDB',
      { slave_parallel_threads: '0' },
      { status: [MARIADB], gtid: '0-1-186' },
    );
    expect(position).toMatchObject({
      sourceGtid: '0-1-186',
      sourceFile: 'mysqld-bin.000002',
      sourcePosition: '34537',
      sourceExact: 'true',
      behindSeconds: 'unknown',
    });
  });
});

it('the latest position is told by the number of the file, then by the offset', () => {
  const at = (file: string, position: string): { file: string; position: string } => ({ file, position });
  expect(latest([])).toBeUndefined();
  expect(latest([at('b.000009', '900'), at('b.000010', '4'), at('b.000010', '30')])).toEqual(at('b.000010', '30'));
  expect(latest([at('b.999999', '4'), at('b.1000000', '4')])).toEqual(at('b.1000000', '4'));
});
