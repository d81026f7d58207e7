import type { ISecret, k8s } from 'cdk8s-plus-28';
import { type ConnectionProps, TlsMode } from './backup-props';
import { type Connection, MOUNTS } from './contract';
import { type MountedVolume, SECRET_FILE_MODE } from './runner-pod';

/** The names of the mounted files, whatever the keys of the Secrets are called. */
const FILES = {
  username: 'username',
  password: 'password',
  sentinelUsername: 'sentinel-username',
  sentinelPassword: 'sentinel-password',
  ca: 'ca.crt',
  cert: 'tls.crt',
  key: 'tls.key',
} as const;

/** The keys of a Secret of type kubernetes.io/tls. */
const TLS_KEYS = { cert: 'tls.crt', key: 'tls.key' } as const;

/** What one engine adds to a connection. */
interface ConnectionDefinition {
  readonly defaultPort: number;
  /** The database to connect to, where the engine has several. */
  readonly connectTo?: string;
  readonly sentinel?: SentinelProps;
}

/** Sentinels as a construct has them. */
export interface SentinelProps {
  readonly masterName: string;
  readonly addresses?: string[];
  readonly credentials?: ISecret;
  readonly usernameKey?: string;
  readonly passwordKey?: string;
}

/** The key of the password; undefined where the client's certificate stands in for it. */
function passwordKey({ passwordKey: key, clientCertificate }: ConnectionProps): string | undefined {
  return key ?? (clientCertificate === undefined ? 'password' : undefined);
}

/**
 * What the job config says of the connection: where the credentials are mounted, never what they are.
 *
 * @internal
 */
export function connectionOf(props: ConnectionProps, engine: ConnectionDefinition): Connection {
  const { defaultPort, connectTo: database, sentinel } = engine;
  const tls = tlsOf(props);
  return {
    host: props.host,
    port: props.port ?? defaultPort,
    ...(database === undefined ? {} : { database }),
    usernameFile: `${MOUNTS.credentials}/${FILES.username}`,
    ...(passwordKey(props) === undefined ? {} : { passwordFile: `${MOUNTS.credentials}/${FILES.password}` }),
    ...(tls === undefined ? {} : { tls }),
    ...(sentinel === undefined ? {} : { sentinel: sentinelOf(sentinel) }),
  };
}

function sentinelOf({ masterName, addresses, credentials, usernameKey }: SentinelProps): Connection['sentinel'] {
  const file = (name: string): string => `${MOUNTS.credentials}/${name}`;
  return {
    masterName,
    ...(addresses === undefined ? {} : { addresses: addresses.map(addressOf) }),
    ...(credentials === undefined || usernameKey === undefined ? {} : { usernameFile: file(FILES.sentinelUsername) }),
    ...(credentials === undefined ? {} : { passwordFile: file(FILES.sentinelPassword) }),
  };
}

/** Of `host` or `host:port`. */
function addressOf(address: string): { readonly host: string; readonly port?: number } {
  const [, host = address, port] = /^([^:]+):(\d+)$/.exec(address) ?? [];
  return port === undefined ? { host } : { host, port: Number(port) };
}

function tlsOf(props: ConnectionProps): Connection['tls'] {
  const { certificateAuthority, clientCertificate } = props;
  const mode = props.tlsMode ?? defaultMode(props);
  if (mode === TlsMode.DISABLE) return undefined;
  const file = (name: string): string => `${MOUNTS.tls}/${name}`;
  return {
    mode,
    ...(certificateAuthority === undefined ? {} : { caFile: file(FILES.ca) }),
    ...(clientCertificate === undefined ? {} : { certFile: file(FILES.cert), keyFile: file(FILES.key) }),
  };
}

function defaultMode({ certificateAuthority, clientCertificate }: ConnectionProps): TlsMode {
  if (certificateAuthority !== undefined) return TlsMode.VERIFY_FULL;
  return clientCertificate === undefined ? TlsMode.DISABLE : TlsMode.REQUIRE;
}

/** What is wrong with the connection as it is given, and what to change; undefined when nothing is. */
export function connectionProblem(props: ConnectionProps): readonly [what: string, change: string] | undefined {
  const { host, tlsMode, certificateAuthority, clientCertificate } = props;
  if (!/^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(host) && !/^[0-9a-fA-F:]+$/.test(host)) {
    return [
      `has the host "${host}", which is no host name`,
      'give the name of a Service or server, as "orders-db" or "orders-db.shop.svc", and the port in the prop port',
    ];
  }
  const verifies = tlsMode === TlsMode.VERIFY_CA || tlsMode === TlsMode.VERIFY_FULL;
  if (verifies && certificateAuthority === undefined) {
    return [`has tlsMode "${tlsMode}" and no certificate authority to check by`, 'give certificateAuthority'];
  }
  if (tlsMode === TlsMode.DISABLE && (certificateAuthority ?? clientCertificate) !== undefined) {
    return ['has certificates, and tlsMode "disable"', 'leave tlsMode out, or the certificates'];
  }
  return undefined;
}

/**
 * The Secrets as files in the runner's pod.
 *
 * @internal
 */
export function connectionVolumes(props: ConnectionProps, sentinel?: SentinelProps): readonly MountedVolume[] {
  const { credentials, usernameKey, certificateAuthority, certificateAuthorityKey, clientCertificate } = props;
  const login = secretItems(credentials, { [usernameKey ?? 'username']: FILES.username });
  const password = passwordKey(props);
  const volumes: MountedVolume[] = [
    mounted('credentials', MOUNTS.credentials, [
      login,
      ...(password === undefined ? [] : [secretItems(credentials, { [password]: FILES.password })]),
      ...sentinelItems(sentinel),
    ]),
  ];
  const certificates = [
    ...(certificateAuthority === undefined
      ? []
      : [secretItems(certificateAuthority, { [certificateAuthorityKey ?? FILES.ca]: FILES.ca })]),
    ...(clientCertificate === undefined
      ? []
      : [secretItems(clientCertificate, { [TLS_KEYS.cert]: FILES.cert, [TLS_KEYS.key]: FILES.key })]),
  ];
  if (certificates.length > 0) volumes.push(mounted('tls', MOUNTS.tls, certificates));
  return volumes;
}

function sentinelItems({
  credentials,
  usernameKey,
  passwordKey = 'password',
}: Partial<SentinelProps> = {}): k8s.VolumeProjection[] {
  if (credentials === undefined) return [];
  return [
    secretItems(credentials, {
      ...(usernameKey === undefined ? {} : { [usernameKey]: FILES.sentinelUsername }),
      [passwordKey]: FILES.sentinelPassword,
    }),
  ];
}

/**
 * Optional, so that a missing Secret or key is the runner's error, with its code and a hint, at once; else the pod would
 * hang in ContainerCreating until the deadline, and say nothing.
 */
function secretItems(secret: ISecret, keys: Readonly<Record<string, string>>): k8s.VolumeProjection {
  return {
    secret: {
      name: secret.name,
      optional: true,
      items: Object.entries(keys).map(([key, path]) => ({ key, path })),
    },
  };
}

function mounted(name: string, path: string, sources: k8s.VolumeProjection[]): MountedVolume {
  return { volume: { name, projected: { defaultMode: SECRET_FILE_MODE, sources } }, path };
}
