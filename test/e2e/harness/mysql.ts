/** A MySQL or MariaDB in a StatefulSet, made as a user would make one: plain manifests of the public images. */
import { createConnection } from 'mysql2/promise';
import type { SqlClient } from '../../ledger/sql';
import { type Anything, apply, create, KINDS } from './cluster';
import { addressOf, isReady } from './pods';
import { eventually } from './wait';

/** The passwords of the administrator and of the backup's user; no log may hold them. */
export const ROOT_PASSWORD = 'the horse is correct';
export const MYSQL_BACKUP_PASSWORD = 'what the DBA had for dinner';

/** A public image that the suite runs on. */
export type MySqlImage = 'mariadb:11.8' | 'mysql:9';

/** How a test's server is made. */
export interface MySqlOptions {
  readonly namespace: string;
  readonly image: MySqlImage;
  /** @default 'accounts-db' */
  readonly name?: string;
  /** Puts the binary log on a claim of its own. */
  readonly separateBinlog?: boolean;
  /** Further arguments of the server, as `['--server-id=2']`. */
  readonly arguments?: readonly string[];
}

/** A running server of a test. */
export interface TestMySql {
  readonly name: string;
  readonly namespace: string;
  readonly pod: string;
  readonly image: MySqlImage;
  readonly claims: { readonly data: string; readonly binlog?: string };
  /** The Secret with `username` and `password` of a user who may take backups and nothing else. */
  readonly credentials: string;
  address(): Promise<string>;
  /** A connection as the administrator, to the pod itself. */
  connect(): Promise<SqlClient>;
}

/** The database of the ledger. */
const DATABASE = 'books';

const DATA = '/var/lib/mysql';
const BINLOG = '/var/lib/mysql-binlog';

/** What the documentation tells users to grant, and no more. */
const GRANTS: Readonly<Record<MySqlImage, readonly string[]>> = {
  'mysql:9': [
    "GRANT RELOAD, BACKUP_ADMIN, REPLICATION CLIENT, PROCESS, SHOW VIEW ON *.* TO 'stillpoint'@'%';",
    "GRANT SELECT ON performance_schema.* TO 'stillpoint'@'%';",
  ],
  'mariadb:11.8': ["GRANT RELOAD, BINLOG MONITOR, SLAVE MONITOR, PROCESS, SHOW VIEW ON *.* TO 'stillpoint'@'%';"],
};

/** Its defaults, but for the binary log, which MariaDB has off. */
function argumentsOf(image: MySqlImage, separateBinlog: boolean): string[] {
  if (separateBinlog) return [`--log-bin=${BINLOG}/binlog`, `--log-bin-index=${BINLOG}/binlog.index`];
  return image === 'mariadb:11.8' ? ['--log-bin'] : [];
}

/** Starts a server and waits until it accepts connections. */
export async function startMySql(options: MySqlOptions): Promise<TestMySql> {
  const { namespace, image, name = 'accounts-db', separateBinlog = false } = options;
  await apply(mysqlObjects({ namespace, image, name, separateBinlog, arguments: options.arguments ?? [] }));
  const pod = `${name}-0`;
  await eventually(`${name} is ready`, () => isReady(pod, namespace), { seconds: 240 });
  return {
    name,
    namespace,
    pod,
    image,
    claims: { data: `data-${pod}`, ...(separateBinlog ? { binlog: `binlog-${pod}` } : {}) },
    credentials: `${name}-backup`,
    address: () => addressOf(pod, namespace),
    connect: async () => await connectTo(await addressOf(pod, namespace)),
  };
}

function mysqlObjects(options: Required<MySqlOptions>): readonly Anything[] {
  const { namespace, image, name, separateBinlog } = options;
  const metadata = (suffix = ''): NonNullable<Anything['metadata']> => ({
    name: `${name}${suffix}`,
    namespace,
    labels: { app: name },
  });
  const user = [`CREATE USER 'stillpoint'@'%' IDENTIFIED BY '${MYSQL_BACKUP_PASSWORD}';`, ...GRANTS[image]];
  return [
    { apiVersion: 'v1', kind: 'Secret', metadata: metadata(), stringData: { password: ROOT_PASSWORD } },
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: metadata('-backup'),
      stringData: { username: 'stillpoint', password: MYSQL_BACKUP_PASSWORD },
    },
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: metadata('-init'), data: { 'backup.sql': user.join('\n') } },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: metadata(),
      spec: { selector: { app: name }, ports: [{ name: 'mysql', port: 3306 }] },
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
        volumeClaimTemplates: [claim('data'), ...(separateBinlog ? [claim('binlog')] : [])],
      },
    },
  ];
}

function podSpec({ name, image, separateBinlog, arguments: more }: Required<MySqlOptions>): object {
  const binlog = { name: 'binlog', mountPath: BINLOG };
  return {
    terminationGracePeriodSeconds: 10,
    ...(separateBinlog
      ? { initContainers: [{ name: 'own', image, command: ['chown', 'mysql:mysql', BINLOG], volumeMounts: [binlog] }] }
      : {}),
    containers: [
      {
        name: 'server',
        image,
        args: [...argumentsOf(image, separateBinlog), ...more],
        env: [
          { name: 'MYSQL_ROOT_PASSWORD', valueFrom: { secretKeyRef: { name, key: 'password' } } },
          { name: 'MYSQL_DATABASE', value: DATABASE },
        ],
        ports: [{ containerPort: 3306 }],
        // By TCP: while the image initialises its data it listens on the socket alone.
        readinessProbe: { tcpSocket: { port: 3306 }, periodSeconds: 1, failureThreshold: 1 },
        volumeMounts: [
          { name: 'data', mountPath: DATA },
          { name: 'init', mountPath: '/docker-entrypoint-initdb.d' },
          ...(separateBinlog ? [binlog] : []),
        ],
      },
    ],
    volumes: [{ name: 'init', configMap: { name: `${name}-init` } }],
  };
}

function claim(name: string): object {
  return {
    metadata: { name },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
  };
}

/** A pod with a server on claims that a restore has made, as a user would start one. */
export async function startMySqlOnClaims(
  pod: { readonly name: string; readonly namespace: string; readonly image: MySqlImage },
  claims: { readonly data: string; readonly binlog?: string },
): Promise<SqlClient> {
  const { name, namespace, image } = pod;
  const separate = claims.binlog !== undefined;
  const volume = (volumeName: string, claimName: string): object => ({
    name: volumeName,
    persistentVolumeClaim: { claimName },
  });
  await create({
    ...KINDS.pod,
    metadata: { name, namespace },
    spec: {
      terminationGracePeriodSeconds: 5,
      containers: [
        {
          name: 'server',
          image,
          args: argumentsOf(image, separate),
          env: [{ name: 'MYSQL_ROOT_PASSWORD', value: 'unused: the data is there' }],
          readinessProbe: { tcpSocket: { port: 3306 }, periodSeconds: 1, failureThreshold: 1 },
          volumeMounts: [
            { name: 'data', mountPath: DATA },
            ...(separate ? [{ name: 'binlog', mountPath: BINLOG }] : []),
          ],
        },
      ],
      volumes: [volume('data', claims.data), ...(claims.binlog === undefined ? [] : [volume('binlog', claims.binlog)])],
    },
  } as Anything);
  await eventually(`${name} is ready`, () => isReady(name, namespace), { seconds: 180 });
  return await connectTo(await addressOf(name, namespace));
}

/** Connects as the administrator. Nothing is changed on the way: a copy's position is looked at. */
async function connectTo(host: string): Promise<SqlClient> {
  return await eventually(`the server at ${host} answers`, async () => {
    const driver = await createConnection({ host, user: 'root', password: ROOT_PASSWORD, database: DATABASE });
    driver.on('error', () => undefined);
    return {
      query: async (sql) => {
        const [rows] = await driver.query(sql);
        return { rows: Array.isArray(rows) ? (rows as Record<string, unknown>[]) : [] };
      },
      end: () => driver.end(),
    };
  });
}
