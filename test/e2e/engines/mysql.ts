/** MySQL and MariaDB: harness/mysql.ts as the contract suite sees it. */
import { MySqlMode } from 'stillpoint';
import { engine } from '../../../runner/engines/mysql';
import { type SqlClient, sqlLedger } from '../../ledger/sql';
import {
  MYSQL_BACKUP_PASSWORD,
  type MySqlImage,
  ROOT_PASSWORD,
  startMySql,
  startMySqlOnClaims,
  type TestMySql,
} from '../harness/mysql';
import { applyMySqlPolicy } from '../harness/policy';
import { eventually } from '../harness/wait';
import type { EngineAdapter, Ongoing, TestClient, TestServer } from './adapter';

export const mariadb = adapter('MariaDB 11.8', 'mariadb', 'mariadb:11.8');
export const mysql = adapter('MySQL 9', 'mysql', 'mysql:9');

const ACCOUNT = "'stillpoint'@'%'";

function adapter(title: string, name: 'mariadb' | 'mysql', image: MySqlImage): EngineAdapter {
  const ofMariaDb = name === 'mariadb';
  // MariaDB's sync_binlog = 0 loses the newest commits in a copy as in a crash.
  const mayLose = ofMariaDb ? { mayLose: /sync_binlog is 0/ } : {};
  // A second backup stage waits for the first to end; MySQL's locks go together, but are seen.
  const secondFreeze = ofMariaDb ? 'freeze-timeout' : 'freeze-left';
  const modes: EngineAdapter['modes'] = [
    { name: 'global', setup: 'plain', layout: 'atomic', freezes: 'writes', exact: true, secondFreeze },
    {
      name: 'instance',
      setup: 'plain',
      layout: 'atomic',
      freezes: 'table-definitions',
      exact: false,
      secondFreeze,
      ...mayLose,
    },
    { name: 'none', setup: 'plain', layout: 'atomic', freezes: 'nothing', exact: false, ...mayLose },
    { name: 'global-split', setup: 'separate-log', layout: 'locked', freezes: 'writes', exact: true, secondFreeze },
  ];
  return {
    title,
    name,
    image,
    engine,
    modes,
    start: async ({ namespace, name: server, setup }) => {
      const separateBinlog = setup === 'separate-log';
      return serverOf(await startMySql({ namespace, image, name: server, separateBinlog }), ofMariaDb);
    },
  };
}

const OPTION: Readonly<Record<string, MySqlMode>> = { instance: MySqlMode.INSTANCE, none: MySqlMode.NONE };

function serverOf(server: TestMySql, ofMariaDb: boolean): TestServer {
  const { name, namespace, pod, image, connect } = server;
  const { data, binlog } = server.claims;
  const asAdministrator = async <T>(work: (client: SqlClient) => Promise<T>): Promise<T> => {
    const client = await connect();
    return await work(client).finally(() => client.end());
  };
  return {
    name,
    namespace,
    pod,
    claims: { data, ...(binlog === undefined ? {} : { log: binlog }) },
    secrets: [ROOT_PASSWORD, MYSQL_BACKUP_PASSWORD],
    connect: async () => clientOf(await connect(), ofMariaDb),
    policy: (mode, options) =>
      applyMySqlPolicy(server, {
        database: options.name,
        ...(OPTION[mode.name] === undefined ? {} : { mode: OPTION[mode.name] }),
        ...options,
      }),
    target: async () => ({
      connection: { host: await server.address(), port: 3306, usernameFile: '' },
      username: 'stillpoint',
      password: MYSQL_BACKUP_PASSWORD,
      tls: undefined,
    }),
    request: (mode) => ({
      id: '20260101000000',
      volumes: [
        { name: 'data', role: 'data', claim: data, namespace, mountPath: '/var/lib/mysql' },
        ...(binlog === undefined
          ? []
          : [{ name: 'log', role: 'log' as const, claim: binlog, namespace, mountPath: '/var/lib/mysql-binlog' }]),
      ],
      layout: 'auto',
      groupClass: false,
      atomicStore: true,
      options: { mode: OPTION[mode.name] ?? MySqlMode.GLOBAL },
    }),
    startCopy: async (copy, claims) => {
      const [copied, log] = [claims.data ?? '', claims.log];
      const client = await startMySqlOnClaims(
        { name: copy, namespace, image },
        { data: copied, ...(log === undefined ? {} : { binlog: log }) },
      );
      return clientOf(client, ofMariaDb);
    },
    held: () =>
      asAdministrator(async (client) => {
        const { rows } = await client.query(
          "SELECT CONCAT('session ', id) AS what FROM information_schema.PROCESSLIST WHERE user = 'stillpoint'",
        );
        return rows.map(({ what }) => String(what));
      }),
    withoutRight: async () => {
      await asAdministrator((client) => client.query(`REVOKE PROCESS ON *.* FROM ${ACCOUNT}`));
      return {
        end: () => asAdministrator(async (client) => void (await client.query(`GRANT PROCESS ON *.* TO ${ACCOUNT}`))),
      };
    },
    obstruct: async () => await obstruct(await connect(), ofMariaDb),
    longStatement: async () => await longStatement(await connect(), await connect(), ofMariaDb),
  };
}

function clientOf(client: SqlClient, ofMariaDb: boolean): TestClient {
  const gtid = async (): Promise<string> => {
    const variable = ofMariaDb ? '@@GLOBAL.gtid_binlog_pos' : '@@GLOBAL.gtid_executed';
    const { rows } = await client.query(`SELECT ${variable} AS gtid`);
    return String(rows[0]?.gtid).replaceAll('\n', '');
  };
  return {
    ...sqlLedger(client),
    position: async () => ({ gtid: await gtid() }),
    changes: async () => Number((await gtid()).split('-').at(-1)),
    define: async (name) => {
      await client.query(`CREATE TABLE ${name} (a int PRIMARY KEY)`);
    },
  };
}

/** A table that an idle session has locked: its lock is in the way of the read lock; of a backup stage, another is. */
async function obstruct(client: SqlClient, ofMariaDb: boolean): Promise<Ongoing> {
  if (!ofMariaDb) await client.query('CREATE TABLE IF NOT EXISTS obstacle (a int PRIMARY KEY)');
  await client.query(ofMariaDb ? 'BACKUP STAGE START' : 'LOCK TABLES obstacle WRITE');
  return {
    end: async () => {
      await client.query(ofMariaDb ? 'BACKUP STAGE END' : 'UNLOCK TABLES');
      await client.end();
    },
  };
}

async function longStatement(client: SqlClient, other: SqlClient, ofMariaDb: boolean): Promise<Ongoing> {
  const { rows } = await client.query('SELECT CONNECTION_ID() AS id');
  const id = String(rows[0]?.id);
  // MariaDB's lock waits for nothing that only reads.
  const running = client.query(ofMariaDb ? 'DO SLEEP(60)' : 'SELECT SLEEP(60)').catch(() => undefined);
  await eventually('the statement has run for long', async () => {
    const seen = await other.query(`SELECT time AS t FROM information_schema.PROCESSLIST WHERE id = ${id}`);
    return Number(seen.rows[0]?.t) >= 6;
  });
  return {
    end: async () => {
      await other.query(`KILL ${id}`);
      await running;
      await other.end();
    },
  };
}
