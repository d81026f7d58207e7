/**
 * Puts together the file system of the runner's image: Node, the libraries that it needs and their loader, the bundle
 * with its compiled code, root certificates, and the few files that libc reads. Runs in the image's build stage.
 *
 *     node scripts/rootfs.mjs APP ROOTFS      APP is the bundle's folder, at the path that it will have in the image
 */
import { execFileSync } from 'node:child_process';
import { chmod, copyFile, cp, mkdir, readdir, realpath, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { rootCertificates } from 'node:tls';

/** The conventional number of a user without any rights; the policies' pods run as it. */
const NONROOT = 65532;

const [app, rootfs] = process.argv.slice(2);
if (app === undefined || rootfs === undefined) throw new Error('usage: rootfs.mjs APP ROOTFS');

await copyNode();
await compileAhead();
await cp(app, join(rootfs, app), { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
await writeSystemFiles();

/** Node and its libraries lie in folders of their own, so that an init container can copy them as they are. */
async function copyNode() {
  await mkdir(join(app, 'bin'), { recursive: true });
  await mkdir(join(app, 'lib'), { recursive: true });
  await copyFile(process.execPath, join(app, 'bin/node'));
  for (const library of sharedLibraries(process.execPath)) {
    await copyFile(await realpath(library), join(app, 'lib', basename(library)));
    if (basename(library).startsWith('ld-')) await symlink(basename(library), join(app, 'lib/ld.so'));
  }
}

/** The files that `ldd` finds for a program, the loader (`/lib64/ld-linux-x86-64.so.2`) among them. */
function sharedLibraries(program) {
  const lines = execFileSync('ldd', [program], { encoding: 'utf8' }).split('\n');
  const found = lines.flatMap((line) => /(?:=> )?(\/\S+) \(0x/.exec(line)?.[1] ?? []);
  if (!found.some((path) => basename(path).startsWith('ld-'))) {
    throw new Error(`no loader of glibc among the libraries of ${program}: the base has to be a glibc one, not musl`);
  }
  return found;
}

/**
 * Loads every chunk once, as the user of the image: V8's compiled code then lies in the image. Node keeps it in a folder
 * whose name holds the user's number.
 */
async function compileAhead() {
  const cache = join(app, 'cache');
  await mkdir(cache);
  await chmod(cache, 0o777);
  const chunks = (await readdir(join(app, 'chunks'))).filter((name) => !name.startsWith('main-'));
  const load = chunks.map((name) => `await import(${JSON.stringify(join(app, 'chunks', name))});`).join('\n');
  for (const args of [
    ['--input-type=module', '--eval', load],
    [join(app, 'stillpoint.mjs'), '--version'],
  ]) {
    execFileSync(join(app, 'lib/ld.so'), ['--library-path', join(app, 'lib'), join(app, 'bin/node'), ...args], {
      uid: NONROOT,
      gid: NONROOT,
      env: { NODE_COMPILE_CACHE: cache, HOME: '/tmp' },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  }
  if ((await readdir(cache)).length === 0) throw new Error(`node has written no compiled code to ${cache}`);
  await chmod(cache, 0o755);
}

async function writeSystemFiles() {
  const files = {
    'etc/passwd': `nonroot:x:${NONROOT}:${NONROOT}:nonroot:/tmp:/nologin\n`,
    'etc/group': `nonroot:x:${NONROOT}:\n`,
    'etc/nsswitch.conf': 'hosts: files dns\n',
    'etc/ssl/certs/ca-certificates.crt': `${rootCertificates.join('\n')}\n`,
  };
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(rootfs, path)), { recursive: true });
    await writeFile(join(rootfs, path), content);
  }
  await mkdir(join(rootfs, 'tmp'));
  await chmod(join(rootfs, 'tmp'), 0o1777);
}
