/** PostgreSQL: harness/postgres.ts as the contract suite sees it. */
import type pg from 'pg';
import { engine } from '../../../runner/engines/postgres';
import { sqlLedger } from '../../ledger/sql';
import { applyPolicy } from '../harness/policy';
import {
  BACKUP_PASSWORD,
  SUPERUSER_PASSWORD,
  startOnClaims,
  startPostgres,
  type TestPostgres,
} from '../harness/postgres';
import type { EngineAdapter, Ongoing, TestClient, TestServer } from './adapter';

export const postgres: EngineAdapter = {
  title: 'PostgreSQL 17',
  name: 'postgres',
  image: 'postgres:17',
  engine,
  modes: [
    { name: 'atomic', setup: 'plain', layout: 'atomic', freezes: 'nothing', exact: false },
    { name: 'backup-mode', setup: 'separate-log', layout: 'backup-mode', freezes: 'log-recycling', exact: false },
  ],
  start: async ({ namespace, name, setup }) =>
    serverOf(await startPostgres({ namespace, name, version: '17', separateWal: setup === 'separate-log' })),
};

function serverOf(server: TestPostgres): TestServer {
  const { name, namespace, pod, image, connect } = server;
  const { data, wal } = server.claims;
  const asSuperuser = async <T>(work: (client: pg.Client) => Promise<T>): Promise<T> => {
    const client = await connect();
    return await work(client).finally(() => client.end());
  };
  return {
    name,
    namespace,
    pod,
    claims: { data, ...(wal === undefined ? {} : { log: wal }) },
    secrets: [BACKUP_PASSWORD, SUPERUSER_PASSWORD],
    connect: async () => clientOf(await connect()),
    policy: (_mode, options) => applyPolicy(server, { database: options.name, ...options }),
    target: async () => ({
      connection: { host: await server.address(), port: 5432, database: 'postgres', usernameFile: '' },
      username: 'stillpoint',
      password: BACKUP_PASSWORD,
      tls: undefined,
    }),
    request: () => ({
      id: '20260101000000',
      volumes: [
        { name: 'data', role: 'data', claim: data, namespace, mountPath: '/var/lib/postgresql/data' },
        ...(wal === undefined
          ? []
          : [{ name: 'log', role: 'log' as const, claim: wal, namespace, mountPath: '/var/lib/postgresql/wal' }]),
      ],
      layout: 'auto',
      groupClass: false,
      atomicStore: true,
      options: {},
    }),
    startCopy: async (copy, claims) => {
      const [copied, log] = [claims.data ?? '', claims.log];
      const mounted = { data: copied, ...(log === undefined ? {} : { wal: log }) };
      return clientOf(await startOnClaims({ name: copy, namespace, image }, mounted));
    },
    held: () =>
      asSuperuser(async (client) => {
        const { rows } = await client.query<{ what: string }>(
          `SELECT 'session ' || pid AS what FROM pg_stat_activity WHERE usename = 'stillpoint'
            UNION ALL SELECT 'slot ' || slot_name FROM pg_replication_slots`,
        );
        return rows.map(({ what }) => what);
      }),
    withoutRight: async () => {
      await asSuperuser((client) => client.query('REVOKE pg_monitor FROM stillpoint'));
      return { end: () => asSuperuser(async (client) => void (await client.query('GRANT pg_monitor TO stillpoint'))) };
    },
    obstruct: async () => await obstruct(await connect()),
  };
}

function clientOf(client: pg.Client): TestClient {
  return {
    ...sqlLedger(client),
    // Of a running server it says no more than that it has not gone back.
    position: async () => {
      const { rows } = await client.query<{ lsn: string }>('SELECT pg_current_wal_lsn()::text AS lsn');
      return { lsn: rows[0]?.lsn ?? '' };
    },
  };
}

/** The checks look at the tablespaces: a lock on those is in the way of every backup. */
async function obstruct(client: pg.Client): Promise<Ongoing> {
  await client.query('BEGIN; LOCK TABLE pg_catalog.pg_tablespace IN ACCESS EXCLUSIVE MODE');
  return {
    end: async () => {
      await client.query('ROLLBACK');
      await client.end();
    },
  };
}
