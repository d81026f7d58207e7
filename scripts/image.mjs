/** Builds the runner's image, and loads it into the test cluster where there is one: see HELP. */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

const INPUTS = ['Dockerfile', 'package.json', 'package-lock.json', 'tsconfig.json', 'src', 'runner'];
const SCRIPTS = ['scripts/bundle.mjs', 'scripts/rootfs.mjs'];
/** What needs no stack: a program that was run has said why. */
class Failure extends Error {}

/** So many built images stay in the cache. */
const KEPT = 3;

const HELP = `Builds the runner's image with buildah, podman or docker, and prints its name.

  npm run image -- [--tag TAG | --tag content] [--base IMAGE] [--node-image IMAGE]

  --tag         default: the version of package.json; content: a hash of all that goes into the image, so that a pod
                never runs an older one of the same tag
  --base        what the image stands on; default: scratch
  --node-image  an image of Node 24 with npm, to build in and to take Node from; default: docker.io/library/node:24

What was built is kept as an archive in the user's cache folder, with the two before it, and built again only when its
inputs change. In the tool's own storage stays what has a tag for people. A test cluster on this machine gets it at once,
and loses those that are kept no longer.
Any other takes it from a registry: with what the last lines name,

  docker load -i ARCHIVE
  docker tag stillpoint:TAG REGISTRY/stillpoint:TAG
  docker push REGISTRY/stillpoint:TAG

(podman has the same words), and then image: 'REGISTRY/stillpoint:TAG' in Registry and in each policy.
`;

const root = resolve(new URL('..', import.meta.url).pathname);
const options = optionsOf(process.argv.slice(2));

const cluster = resolve(root, process.env.TEST_CLUSTER ?? '../shared/cluster');
const clusterRoot = process.env.CLUSTER_ROOT ?? '/var/lib/test-cluster';
const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'stillpoint', 'images');

const content = await hashOfInputs();
const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
const tag = options.tag === 'content' ? content : (options.tag ?? version);
const name = `docker.io/library/stillpoint:${tag}`;
const archive = join(cache, `${tag}-${content}.tar`);

try {
  if (!existsSync(archive)) await buildImage();
  if (existsSync(join(clusterRoot, 'kubeconfig')) && existsSync(join(cluster, 'load'))) {
    run(join(cluster, 'load'), [archive]);
    await forgetLoaded();
  } else
    say(`to use it, load it, tag it and push it to where your cluster pulls from: npm run image -- --help says how`);
  say(`${Math.round((await stat(archive)).size / 1e6)} MB in ${archive}`);
  process.stdout.write(`stillpoint:${tag}\n`);
} catch (error) {
  say(error instanceof Failure ? error.message : error.stack);
  process.exitCode = 1;
}

function optionsOf(args) {
  try {
    const { values } = parseArgs({
      args,
      options: {
        tag: { type: 'string' },
        base: { type: 'string', default: 'scratch' },
        'node-image': { type: 'string', default: 'docker.io/library/node:24' },
        help: { type: 'boolean', short: 'h' },
      },
    });
    if (values.help !== true) return values;
    process.stdout.write(HELP);
    process.exit(0);
  } catch (error) {
    process.stderr.write(`image: ${error.message}\n\n${HELP}`);
    process.exit(2);
  }
}

async function hashOfInputs() {
  const hash = createHash('sha256').update(JSON.stringify([options.base, options['node-image']]));
  for (const input of [...INPUTS, ...SCRIPTS]) {
    for (const file of await filesBelow(join(root, input))) {
      hash
        .update(`${file.slice(root.length)}\0`)
        .update(await readFile(file))
        .update('\0');
    }
  }
  return hash.digest('hex').slice(0, 12);
}

async function filesBelow(path) {
  if (!(await stat(path)).isDirectory()) return [path];
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

async function buildImage() {
  const tool = ['buildah', 'podman', 'docker'].find((command) => works(command));
  if (tool === undefined) throw new Failure('building the image needs buildah, podman or docker');
  say(`building ${name} with ${tool}`);
  await mkdir(cache, { recursive: true });
  const args = [
    '--build-arg',
    `BASE=${options.base}`,
    '--build-arg',
    `NODE_IMAGE=${options['node-image']}`,
    '-t',
    name,
  ];
  const built = (more) =>
    run(tool, ['build', ...args, ...more, root], () => {
      const image = options['node-image'];
      return `where ${image} cannot be had from here, name one that can: --node-image REGISTRY/node:24`;
    });
  if (tool === 'docker') {
    built([]);
    run(tool, ['save', '-o', `${archive}.part`, name]);
  } else {
    if (tool === 'buildah') await bringNodeImage();
    built(['--isolation', 'chroot', '--network', 'host', ...npmSettings()]);
    await rm(`${archive}.part`, { force: true });
    run(tool, ['push', name, `docker-archive:${archive}.part:${name}`]);
  }
  await rename(`${archive}.part`, archive);
  if (options.tag === 'content') forgetBuilt(tool);
  await forgetOldArchives();
}

/** Nobody names an image of a content tag but by what is printed: in the tool's own storage each would stay for ever. */
function forgetBuilt(tool) {
  const { status, stderr } = spawnSync(tool, ['rmi', name], { encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'] });
  if (status !== 0) say(`${name} stays in the storage of ${tool}: ${stderr?.trim()}`);
}

/**
 * Removes from the test cluster's nodes the images of content tags whose archives are gone, but for those that a
 * container stands on: no kubelet sees a disk as full before it is. The kubelet's own name of an image, its digest,
 * would keep it on the disk.
 */
async function forgetLoaded() {
  const kept = new Set((await readdir(cache)).map((file) => file.split('-')[0]));
  for (const socket of await socketsOfNodes()) {
    const ctr = (...args) => {
      const { stdout } = spawnSync('ctr', ['-a', socket, '-n', 'k8s.io', ...args], { encoding: 'utf8' });
      return (stdout ?? '').split('\n').map((line) => line.trim().split(/\s+/));
    };
    const used = new Set(ctr('containers', 'ls').map(([, image]) => image));
    const images = ctr('images', 'ls').map(([image, , digest]) => ({ image, digest }));
    const isOld = ({ image }) => {
      const [, tag] = /^docker\.io\/library\/stillpoint:([0-9a-f]{12})$/.exec(image) ?? [];
      return tag !== undefined && !kept.has(tag) && !used.has(image);
    };
    const old = new Set(images.filter(isOld).map(({ digest }) => digest));
    const going = images.filter((each) => isOld(each) || (each.image.startsWith('sha256:') && old.has(each.digest)));
    if (going.length > 0) ctr('images', 'rm', '--sync', ...going.map(({ image }) => image));
  }
}

async function socketsOfNodes() {
  const folder = '/run/test-cluster';
  return (await readdir(folder)).filter((file) => file.endsWith('.sock')).map((file) => join(folder, file));
}

/** Takes the image that the build starts from out of the test cluster: no registry can be asked there. */
async function bringNodeImage() {
  const image = options['node-image'];
  if (!existsSync(join(cluster, 'images')) || works('buildah', ['inspect', '--type', 'image', image])) return;
  run(join(cluster, 'images'), [image.replace('docker.io/library/', '')]);
  const folder = await mkdtemp(join(tmpdir(), 'stillpoint-image-'));
  try {
    const tar = join(folder, 'node.tar');
    run('ctr', ['-a', '/run/test-cluster/node-1.sock', '-n', 'k8s.io', 'images', 'export', tar, image]);
    run('buildah', ['pull', `docker-archive:${tar}`]);
    run('buildah', ['tag', image.replace('docker.io/library/', 'localhost/'), image]);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Gives the build this machine's npm settings and cache: npm may need a certificate or a registry of its own. */
function npmSettings() {
  // As in a shell of its own: what npm tells its scripts, and where their Node lies, would lead it to other settings.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('npm_')));
  env.PATH = (env.PATH ?? '')
    .split(':')
    .filter((folder) => !folder.includes('node_modules'))
    .join(':');
  const setting = (key) => spawnSync('npm', ['config', 'get', key], { encoding: 'utf8', env }).stdout.trim();
  const mounts = [
    [setting('cafile'), `${setting('cafile')}:ro`],
    [setting('globalconfig'), '/usr/local/etc/npmrc:ro'],
    [setting('userconfig'), '/root/.npmrc:ro'],
    [setting('cache'), '/root/.npm'],
  ];
  return mounts.filter(([from]) => existsSync(from)).flatMap(([from, to]) => ['--volume', `${from}:${to}`]);
}

async function forgetOldArchives() {
  const files = await Promise.all(
    (await readdir(cache)).map(async (file) => ({
      file: join(cache, file),
      at: (await stat(join(cache, file))).mtimeMs,
    })),
  );
  for (const { file } of files.sort((a, b) => b.at - a.at).slice(KEPT)) await rm(file);
}

function works(command, args = ['version']) {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

/** Runs a program; what it prints goes to standard error, so that standard output holds the image's name alone. */
function run(command, args, hint = () => 'what it says stands above') {
  try {
    execFileSync(command, args, { stdio: ['ignore', 2, 2] });
  } catch (error) {
    throw new Failure(`${command} ${args[0]} failed (${error.status ?? error.code}): ${hint()}`);
  }
}

function say(text) {
  process.stderr.write(`image: ${text}\n`);
}
