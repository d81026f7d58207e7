/** A replica of a test's MySQL or MariaDB, made as the vendors' manuals say. */
import type { SqlClient } from '../../ledger/sql';
import { startMySql, type TestMySql } from './mysql';
import { eventually } from './wait';

/** The password of the replication's account; no log may hold it. */
export const REPLICATION_PASSWORD = 'what the DBA had for breakfast';

/** Starts a replica of a server that nobody is writing to yet. */
export async function startReplica(primary: TestMySql, name: string, more: readonly string[] = []): Promise<TestMySql> {
  const { namespace, image } = primary;
  const replica = await startMySql({ namespace, image, name, arguments: ['--server-id=2', ...more] });
  const [source, client] = [await primary.connect(), await replica.connect()];
  await source.query(`CREATE USER IF NOT EXISTS 'repl'@'%' IDENTIFIED BY '${REPLICATION_PASSWORD}'`);
  await source.query("GRANT REPLICATION SLAVE ON *.* TO 'repl'@'%'");
  const ofMariaDb = image.startsWith('mariadb');
  const statements = ofMariaDb ? mariadbFrom : mysqlFrom;
  for (const sql of statements(primary.name, await executedBy(source, ofMariaDb))) await client.query(sql);
  // What the documentation tells users to grant for replicas with several workers: at the primary, as all else.
  if (!ofMariaDb) await source.query("GRANT SELECT ON mysql.slave_worker_info TO 'stillpoint'@'%'");
  await eventually('the replica follows', () => follows(source, client, ofMariaDb));
  await Promise.all([source.end(), client.end()]);
  return replica;
}

/** Whether a replica has executed all that its source has. */
export async function follows(source: SqlClient, replica: SqlClient, ofMariaDb: boolean): Promise<boolean> {
  const executed = await executedBy(source, ofMariaDb);
  const sql = ofMariaDb
    ? `SELECT MASTER_GTID_WAIT('${executed}', 0) = 0 AS done`
    : `SELECT GTID_SUBSET('${executed}', @@GLOBAL.gtid_executed) AS done`;
  return Number((await replica.query(sql)).rows[0]?.done) === 1;
}

async function executedBy(client: SqlClient, ofMariaDb: boolean): Promise<string> {
  const variable = ofMariaDb ? 'gtid_binlog_pos' : 'gtid_executed';
  return String((await client.query(`SELECT @@GLOBAL.${variable} AS gtid`)).rows[0]?.gtid).replaceAll('\n', '');
}

/** What the servers' own init scripts have done, each of them has done by itself: the replica begins after that. */
function mysqlFrom(host: string, gtid: string): readonly string[] {
  return [
    'RESET BINARY LOGS AND GTIDS',
    `SET GLOBAL gtid_purged = '${gtid}'`,
    `CHANGE REPLICATION SOURCE TO SOURCE_HOST = '${host}', SOURCE_USER = 'repl', SOURCE_PASSWORD = '${REPLICATION_PASSWORD}', SOURCE_AUTO_POSITION = 1, GET_SOURCE_PUBLIC_KEY = 1`,
    'START REPLICA',
  ];
}

function mariadbFrom(host: string, gtid: string): readonly string[] {
  return [
    'RESET MASTER',
    `SET GLOBAL gtid_slave_pos = '${gtid}'`,
    `CHANGE MASTER TO MASTER_HOST = '${host}', MASTER_USER = 'repl', MASTER_PASSWORD = '${REPLICATION_PASSWORD}', MASTER_USE_GTID = slave_pos`,
    'START SLAVE',
  ];
}
