/** A PostgreSQL with rows, dumps of it, and their restores, in a scene that has a store and a registry of its own. */
import { Secret } from 'cdk8s-plus-28';
import pg from 'pg';
import { PostgresDump, type PostgresDumpProps, PostgresDumpRestore, type PostgresDumpRestoreProps } from 'stillpoint';
import type { BackupRecord } from '../../../src/contract';
import { DumpScene, type Policy, type RestoreEnd } from '../harness/dump-scene';
import { NEVER } from '../harness/never';
import { addressOf } from '../harness/pods';
import { SUPERUSER_PASSWORD, startPostgres, type TestPostgres } from '../harness/postgres';

/** How many rows the database has. */
export const ROWS = 200_000;

/** Where else a restore looks for its record, and what opens the dump. */
export interface RestoreOptions
  extends Partial<Pick<PostgresDumpRestoreProps, 'checkFirst' | 'onlyDatabase' | 'intoDatabase'>> {
  readonly registry?: string;
  /** The Secret with the identity. */
  readonly identity?: string;
}

export class PostgresDumps implements AsyncDisposable {
  private constructor(
    readonly scene: DumpScene,
    readonly server: TestPostgres,
  ) {}

  /** Starts both, with the database `orders` in the server. */
  static async start(name: string): Promise<PostgresDumps> {
    const scene = await DumpScene.start(name);
    const server = await startPostgres({ namespace: scene.namespace, version: '17' });
    await scene.login('orders-db-admin', 'postgres', SUPERUSER_PASSWORD);
    const client = await server.connect();
    await client.query("CREATE ROLE app LOGIN PASSWORD 'app-secret'");
    await client.query('CREATE DATABASE orders OWNER app');
    await client.end();
    await during(server, 'orders', async (orders) => {
      await orders.query(`CREATE TABLE lines AS SELECT n, md5(n::text) AS word FROM generate_series(1, ${ROWS}) n`);
      await orders.query('ALTER TABLE lines OWNER TO app');
    });
    return new PostgresDumps(scene, server);
  }

  /** The second server, once it is there. */
  get copy(): TestPostgres {
    return { ...this.server, name: 'copy-db', address: () => addressOf('copy-db-0', this.scene.namespace) };
  }

  /** A policy of dumps of the server. */
  policy(
    id: string,
    props: Partial<PostgresDumpProps> = {},
    { store, login = 'orders-db-admin' }: { readonly store?: string; readonly login?: string } = {},
  ): Promise<Policy> {
    return this.scene.policy(
      id,
      (chart, shared) =>
        new PostgresDump(chart, id, {
          ...shared,
          host: this.server.name,
          credentials: Secret.fromSecretName(chart, 'login', login),
          serverImage: this.server.image,
          schedule: NEVER,
          ...props,
        }),
      store,
    );
  }

  /** Restores a dump into the second server. */
  restore(
    id: string,
    record: Pick<BackupRecord, 'database' | 'id'>,
    { registry: of, identity, ...props }: RestoreOptions = {},
  ): Promise<RestoreEnd> {
    return this.scene.restore(
      id,
      (chart, shared) =>
        new PostgresDumpRestore(chart, id, {
          ...shared,
          database: record.database,
          backup: record.id,
          host: 'copy-db',
          credentials: Secret.fromSecretName(chart, 'login', 'orders-db-admin'),
          serverImage: this.server.image,
          ...(identity === undefined ? {} : { identity: Secret.fromSecretName(chart, 'identity', identity) }),
          ...props,
        }),
      of,
    );
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.scene[Symbol.asyncDispose]();
  }
}

/** Does something as the superuser, in one database. */
export async function during<T>(of: TestPostgres, database: string, work: (on: pg.Client) => Promise<T>): Promise<T> {
  const on = new pg.Client({ host: await of.address(), user: 'postgres', password: SUPERUSER_PASSWORD, database });
  on.on('error', () => undefined);
  await on.connect();
  try {
    return await work(on);
  } finally {
    await on.end();
  }
}

/** How many rows a database has. */
export async function rowsIn(of: TestPostgres, database: string): Promise<unknown> {
  return await during(of, database, async (on) => (await on.query('SELECT count(*)::int AS rows FROM lines')).rows);
}
