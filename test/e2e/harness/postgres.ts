/** A PostgreSQL in a StatefulSet, made as a user would make one: plain manifests of the public image. */
import pg from 'pg';
import { type Anything, apply, create, KINDS } from './cluster';
import { addressOf, isReady } from './pods';
import { eventually } from './wait';

/** The superuser's password; any will do, and no log may hold it. */
export const SUPERUSER_PASSWORD = 'correct horse battery staple';
export const BACKUP_PASSWORD = 'what the DBA had for lunch';

/** How a test's PostgreSQL is made. */
export interface PostgresOptions {
  readonly namespace: string;
  readonly version: '15' | '17';
  /** @default 'orders-db' */
  readonly name?: string;
  /** Puts the write-ahead log on a claim of its own. */
  readonly separateWal?: boolean;
  /** @default - the cluster's default class */
  readonly storageClass?: string;
  /** @default 'ReadWriteOnce' */
  readonly accessMode?: 'ReadWriteOnce' | 'ReadWriteOncePod';
  /** Labels of the claims. */
  readonly claimLabels?: Readonly<Record<string, string>>;
  /** Settings, as `['log_checkpoints=on']`. */
  readonly settings?: readonly string[];
}

/** A running server of a test. */
export interface TestPostgres {
  readonly name: string;
  readonly namespace: string;
  readonly pod: string;
  readonly image: string;
  readonly claims: { readonly data: string; readonly wal?: string };
  /** The Secret with `username` and `password` of a user who may take backups and nothing else. */
  readonly credentials: string;
  /** The pod's address now: this machine reaches it. */
  address(): Promise<string>;
  /** A connection as the superuser, to the pod itself. */
  connect(): Promise<pg.Client>;
}

const PGDATA = '/var/lib/postgresql/data/pgdata';
const WAL = '/var/lib/postgresql/wal';

/** The rights of the backup's user: what the documentation tells users to grant, and no more. */
function backupUser(version: string): string {
  const [begin, end] =
    Number(version) >= 15
      ? ['pg_backup_start(text, boolean)', 'pg_backup_stop(boolean)']
      : ['pg_start_backup(text, boolean, boolean)', 'pg_stop_backup(boolean, boolean)'];
  return [
    `CREATE ROLE stillpoint LOGIN REPLICATION PASSWORD '${BACKUP_PASSWORD}';`,
    'GRANT pg_monitor, pg_read_server_files TO stillpoint;',
    `GRANT EXECUTE ON FUNCTION ${begin}, ${end} TO stillpoint;`,
    'GRANT EXECUTE ON FUNCTION pg_ls_dir(text, boolean, boolean), pg_stat_file(text, boolean) TO stillpoint;',
  ].join('\n');
}

/** Starts a PostgreSQL and waits until it accepts connections. */
export async function startPostgres(options: PostgresOptions): Promise<TestPostgres> {
  const { namespace, version, name = 'orders-db', separateWal = false } = options;
  await apply(postgresObjects({ ...options, name }));
  const server: TestPostgres = {
    name,
    namespace,
    pod: `${name}-0`,
    image: `postgres:${version}`,
    claims: { data: `data-${name}-0`, ...(separateWal ? { wal: `wal-${name}-0` } : {}) },
    credentials: `${name}-backup`,
    address: () => addressOf(`${name}-0`, namespace),
    connect: async () => await connectTo(await addressOf(`${name}-0`, namespace)),
  };
  await eventually(`${name} is ready`, async () => await isReady(server.pod, namespace), { seconds: 180 });
  await flush(server);
  return server;
}

/**
 * The image's entry script has just written pg_hba.conf, and nobody syncs that: a cut right away would hold the file
 * without its last line. Servers that are backed up in earnest are older than a second.
 */
async function flush(server: TestPostgres): Promise<void> {
  const client = await server.connect();
  await client.query("COPY (SELECT 1) TO PROGRAM 'cat >&2; sync'");
  await client.end();
}

/** The objects of a server: Secrets, Service, init script, StatefulSet. */
export function postgresObjects(options: PostgresOptions & { readonly name: string }): readonly Anything[] {
  const { namespace, version, name } = options;
  const metadata = (suffix = ''): NonNullable<Anything['metadata']> => ({
    name: `${name}${suffix}`,
    namespace,
    labels: { app: name },
  });
  return [
    { apiVersion: 'v1', kind: 'Secret', metadata: metadata(), stringData: { password: SUPERUSER_PASSWORD } },
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: metadata('-backup'),
      stringData: { username: 'stillpoint', password: BACKUP_PASSWORD },
    },
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: metadata('-init'), data: { 'backup.sql': backupUser(version) } },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: metadata(),
      spec: { selector: { app: name }, ports: [{ name: 'postgres', port: 5432 }] },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: metadata(),
      spec: {
        serviceName: name,
        replicas: 1,
        selector: { matchLabels: { app: name } },
        template: { metadata: { labels: { app: name } }, spec: podSpec(options) },
        volumeClaimTemplates: [claim('data', options), ...(options.separateWal ? [claim('wal', options)] : [])],
      },
    },
  ];
}

function podSpec({ name, version, separateWal, settings = [] }: PostgresOptions & { readonly name: string }): object {
  const image = `postgres:${version}`;
  const wal = { name: 'wal', mountPath: WAL };
  return {
    terminationGracePeriodSeconds: 10,
    ...(separateWal
      ? { initContainers: [{ name: 'own-wal', image, command: ['chown', '999:999', WAL], volumeMounts: [wal] }] }
      : {}),
    containers: [
      {
        name: 'postgres',
        image,
        args: settings.flatMap((setting) => ['-c', setting]),
        env: [
          { name: 'PGDATA', value: PGDATA },
          { name: 'POSTGRES_PASSWORD', valueFrom: { secretKeyRef: { name, key: 'password' } } },
          ...(separateWal ? [{ name: 'POSTGRES_INITDB_ARGS', value: `--waldir=${WAL}/pg_wal` }] : []),
        ],
        ports: [{ containerPort: 5432 }],
        // By TCP: while the image initialises its data it listens on the socket alone.
        readinessProbe: { tcpSocket: { port: 5432 }, periodSeconds: 1, failureThreshold: 1 },
        volumeMounts: [
          { name: 'data', mountPath: '/var/lib/postgresql/data' },
          { name: 'init', mountPath: '/docker-entrypoint-initdb.d' },
          ...(separateWal ? [wal] : []),
        ],
      },
    ],
    volumes: [{ name: 'init', configMap: { name: `${name}-init` } }],
  };
}

function claim(name: string, { storageClass, claimLabels, accessMode = 'ReadWriteOnce' }: PostgresOptions): object {
  return {
    metadata: { name, labels: { ...claimLabels } },
    spec: {
      accessModes: [accessMode],
      resources: { requests: { storage: '512Mi' } },
      ...(storageClass === undefined ? {} : { storageClassName: storageClass }),
    },
  };
}

/** A pod with a PostgreSQL on claims that a restore has made, as a user would start one. */
export async function startOnClaims(
  pod: { readonly name: string; readonly namespace: string; readonly image: string },
  claims: { readonly data: string; readonly wal?: string },
): Promise<pg.Client> {
  const { name, namespace, image } = pod;
  const mounts = [
    { name: 'data', mountPath: '/var/lib/postgresql/data' },
    ...(claims.wal === undefined ? [] : [{ name: 'wal', mountPath: WAL }]),
  ];
  const volume = (volumeName: string, claimName: string): object => ({
    name: volumeName,
    persistentVolumeClaim: { claimName },
  });
  await create({
    ...KINDS.pod,
    metadata: { name, namespace },
    spec: {
      terminationGracePeriodSeconds: 10,
      containers: [
        {
          name: 'postgres',
          image,
          env: [
            { name: 'PGDATA', value: PGDATA },
            { name: 'POSTGRES_PASSWORD', value: 'unused: the data is there' },
          ],
          readinessProbe: { tcpSocket: { port: 5432 }, periodSeconds: 1, failureThreshold: 1 },
          volumeMounts: mounts,
        },
      ],
      volumes: [volume('data', claims.data), ...(claims.wal === undefined ? [] : [volume('wal', claims.wal)])],
    },
  } as Anything);
  await eventually(`${name} is ready`, async () => await isReady(name, namespace), { seconds: 120 });
  return await connectTo(await addressOf(name, namespace));
}

/** Connects as the superuser. The server's end may end the connection: that is no error of the test's. */
async function connectTo(host: string): Promise<pg.Client> {
  return await eventually(`PostgreSQL at ${host} answers`, async () => {
    const client = new pg.Client({ host, user: 'postgres', password: SUPERUSER_PASSWORD, database: 'postgres' });
    client.on('error', () => undefined);
    await client.connect();
    return client;
  });
}
