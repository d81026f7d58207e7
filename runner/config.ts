import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import {
  COPY_CONFIG,
  COPY_CONFIG_KIND,
  COPY_RESTORE_CONFIG,
  type Connection,
  type CopyRestoreConfig,
  DUMP_CONFIG,
  DUMP_CONFIG_KIND,
  DUMP_RESTORE_CONFIG,
  type DumpRestoreConfig,
  fits,
  GROUP_CONFIG,
  GROUP_CONFIG_KIND,
  JOB_CONFIG,
  type MemberConfig,
  type PolicyConfig,
  type Problem,
  type Schema,
  type ServerSelection,
  STORES,
  type StoresConfig,
  validate,
} from '../src/contract';
import { NO_TARGET, type Target, type TlsMaterial } from './engine';
import { StillpointError } from './errors';
import { type Identity, identitiesIn } from './pipe/age-keys';

/** Reads a job config. Throws config-invalid with everything that is wrong with it, not only the first. */
export async function readConfig(file: string): Promise<PolicyConfig> {
  return parseConfig(await readText(file, 'config-invalid', 'job config'), file);
}

/** Makes a job config out of YAML. */
export function parseConfig(text: string, source: string): PolicyConfig {
  const document = parseYaml(text, source);
  if (fits(JOB_CONFIG, document) || fits(GROUP_CONFIG, document)) return document;
  if (fits(DUMP_CONFIG, document) || fits(COPY_CONFIG, document)) return document;
  const kind = typeof document === 'object' ? (document as { kind?: unknown } | null)?.kind : undefined;
  if (kind === GROUP_CONFIG_KIND) throw misfit(source, validate(GROUP_CONFIG, document));
  if (kind === DUMP_CONFIG_KIND) throw misfit(source, validate(DUMP_CONFIG, document));
  if (kind === COPY_CONFIG_KIND) throw misfit(source, validate(COPY_CONFIG, document));
  throw misfit(source, validate(JOB_CONFIG, document));
}

/** Reads the instruction of a restore from a dump. */
export function readRestoreConfig(file: string): Promise<DumpRestoreConfig> {
  return readOf(DUMP_RESTORE_CONFIG, file);
}

/** Reads the instruction of a restore from a copy. */
export function readCopyRestoreConfig(file: string): Promise<CopyRestoreConfig> {
  return readOf(COPY_RESTORE_CONFIG, file);
}

/** Reads which stores there are to remove dumps from. */
export function readStores(file: string): Promise<StoresConfig> {
  return readOf(STORES, file);
}

/** Reads what opens an encrypted dump, a file as age-keygen writes it; undefined where the instruction names none. */
export async function readIdentities({
  identityFile,
}: Pick<DumpRestoreConfig['spec'], 'identityFile'>): Promise<readonly Identity[] | undefined> {
  if (identityFile === undefined) return undefined;
  return await identitiesIn(await readText(identityFile, 'credentials-unreadable', 'identity of age'), identityFile);
}

async function readOf<T>(schema: Schema<T>, file: string): Promise<T> {
  const document = parseYaml(await readText(file, 'config-invalid', 'job config'), file);
  if (fits(schema, document)) return document;
  throw misfit(file, validate(schema, document));
}

function misfit(source: string, found: readonly Problem[]): StillpointError {
  const problems = found.map(({ path, message }) => `${path === '' ? 'it' : path} ${message}`);
  return new StillpointError('config-invalid', `job config ${source} is not valid: ${problems.join('; ')}`, {
    hint: 'synthesise it again with a version of the constructs that fits this runner',
  });
}

/** Reads the credentials that a job config names. Their values never leave the {@link Target}. */
export async function readTarget({
  connection,
  engine,
  engineOptions,
  servers,
}: Pick<MemberConfig, 'engine' | 'connection' | 'engineOptions' | 'servers'>): Promise<Target> {
  if (connection === undefined && servers !== undefined) return { ...targetOfServers(servers), options: engineOptions };
  if (connection === undefined) {
    throw new StillpointError(
      'config-invalid',
      `the job config says of engine ${engine} not how its server is reached`,
      {
        hint: HINTS['config-invalid'],
      },
    );
  }
  const { usernameFile, passwordFile, tls, sentinel } = connection;
  return {
    connection,
    username: await readSecret(usernameFile, 'user name'),
    password: passwordFile === undefined ? undefined : await readSecret(passwordFile, 'password'),
    tls: tls === undefined ? undefined : await readTls(tls),
    ...(sentinel === undefined ? {} : { sentinel: await readSentinelLogin(sentinel) }),
    options: engineOptions,
  };
}

/** What is found by labels when a backup begins has no host yet, and takes no login. */
function targetOfServers({ port, connectTimeoutSeconds }: ServerSelection): Target {
  const connection = { ...NO_TARGET.connection, port };
  return {
    ...NO_TARGET,
    connection: connectTimeoutSeconds === undefined ? connection : { ...connection, connectTimeoutSeconds },
  };
}

async function readSentinelLogin({
  usernameFile,
  passwordFile,
}: NonNullable<Connection['sentinel']>): Promise<NonNullable<Target['sentinel']>> {
  return {
    username: usernameFile === undefined ? '' : await readSecret(usernameFile, 'user name at the sentinels'),
    password: passwordFile === undefined ? undefined : await readSecret(passwordFile, 'password at the sentinels'),
  };
}

async function readTls(tls: NonNullable<Connection['tls']>): Promise<TlsMaterial> {
  const file = async (path: string | undefined, what: string): Promise<string | undefined> =>
    path === undefined ? undefined : await readSecret(path, what);
  return {
    mode: tls.mode,
    ca: await file(tls.caFile, 'CA certificate'),
    cert: await file(tls.certFile, 'client certificate'),
    key: await file(tls.keyFile, 'client key'),
  };
}

/** The pod's path says little to whoever wrote the policy: what they named is a Secret. */
const HINTS = {
  'config-invalid': 'look whether the ConfigMap has this key and is mounted there',
  'credentials-unreadable':
    'the Secret that the policy names (credentials, or that of the certificates) is missing, or lacks the key (usernameKey, passwordKey, identityKey, …) or a value for it',
} as const;

/** One newline at the end belongs to the file, not to the secret: editors and `kubectl create --from-file` leave it. */
export async function readSecret(path: string, what: string): Promise<string> {
  const text = (await readText(path, 'credentials-unreadable', what)).replace(/\r?\n$/, '');
  if (text !== '') return text;
  throw new StillpointError('credentials-unreadable', `the file ${path} with the ${what} is empty`, {
    hint: HINTS['credentials-unreadable'],
  });
}

async function readText(
  path: string,
  code: 'config-invalid' | 'credentials-unreadable',
  what: string,
): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new StillpointError(code, `the file ${path} with the ${what} cannot be read (${reason})`, {
      hint: HINTS[code],
      cause,
    });
  }
}

function parseYaml(text: string, source: string): unknown {
  try {
    return parse(text);
  } catch (cause) {
    throw new StillpointError('config-invalid', `job config ${source} is not YAML: ${(cause as Error).message}`, {
      cause,
    });
  }
}
