/** Volumes with files of a test's own, and what lies on them, whichever pod has them mounted. */
import { type Anything, create, KINDS } from './cluster';
import { isReady } from './pods';
import { runInPod } from './tool-in-pod';
import { eventually } from './wait';

/** Whose the files are. */
export const FILE_OWNER = 1000;

/** What lies on a volume: its digest is over paths, kinds, modes, owners, sizes, links and contents of all entries. */
export interface Tree {
  readonly entries: number;
  readonly bytes: number;
  readonly digest: string;
}

/** A pod that has claims mounted, each under its name, and does nothing by itself. */
export async function startFilesPod(namespace: string, name: string, claims: readonly string[]): Promise<void> {
  await create({
    ...KINDS.pod,
    metadata: { name, namespace },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [
        {
          ...{ name: 'files', image: 'node:24', command: ['sleep', 'infinity'] },
          volumeMounts: claims.map((claim) => ({ name: claim, mountPath: `/volumes/${claim}` })),
        },
      ],
      volumes: claims.map((claim) => ({ name: claim, persistentVolumeClaim: { claimName: claim } })),
    },
  } as Anything);
  await eventually(`${name} is ready`, () => isReady(name, namespace), { seconds: 120 });
}

/** How much {@link fillVolume} writes. */
export interface Filling {
  /** What tells its content from that of others. */
  readonly seed: number;
  /** Of one file that no compression makes smaller, in MiB. */
  readonly denseMib: number;
  /** The length of one file that is nearly all holes, in MiB. */
  readonly sparseMib: number;
  readonly smallFiles: number;
}

/** Fills a claim of a pod with files, folders and links: the same for the same filling. All of it is on the device then. */
export async function fillVolume(namespace: string, pod: string, claim: string, filling: Filling): Promise<void> {
  const program = `(${fill})(${JSON.stringify(`/volumes/${claim}`)}, ${JSON.stringify({ ...filling, owner: FILE_OWNER })})`;
  await runInPod({ namespace, pod }, ['node', '-'], `${program}\n`);
}

/** Reads a whole claim of a pod. */
export async function treeOf(namespace: string, pod: string, claim: string): Promise<Tree> {
  const program = `(${look})(${JSON.stringify(`/volumes/${claim}`)})`;
  return JSON.parse(await runInPod({ namespace, pod }, ['node', '-'], `${program}\n`)) as Tree;
}

/** Runs in the pod: everything that it uses is its own. */
function fill(root: string, { seed, denseMib, sparseMib, smallFiles, owner }: Filling & { owner: number }): void {
  const { createCipheriv } = process.getBuiltinModule('node:crypto');
  const { execFileSync } = process.getBuiltinModule('node:child_process');
  const fs = process.getBuiltinModule('node:fs');
  const key = Buffer.alloc(16, seed);
  const noise = createCipheriv('aes-128-ctr', key, Buffer.alloc(16));
  const mib = Buffer.alloc(1 << 20);
  const dense = fs.openSync(`${root}/dense`, 'w');
  for (let n = 0; n < denseMib; n++) fs.writeSync(dense, noise.update(mib));
  fs.closeSync(dense);
  const sparse = fs.openSync(`${root}/sparse`, 'w');
  fs.ftruncateSync(sparse, sparseMib << 20);
  for (const at of [0, sparseMib >> 1]) fs.writeSync(sparse, noise.update(mib.subarray(0, 4096)), 0, 4096, at << 20);
  fs.closeSync(sparse);
  for (let n = 0; n < smallFiles; n++) {
    const folder = `${root}/small/${n >> 8}`;
    if ((n & 255) === 0) fs.mkdirSync(folder, { recursive: true });
    fs.writeFileSync(`${folder}/${n}`, noise.update(mib.subarray(0, (n * 37) % 4096)), { mode: n % 3 ? 0o600 : 0o644 });
  }
  fs.mkdirSync(`${root}/empty`, { mode: 0o750 });
  fs.symlinkSync('dense', `${root}/link`);
  fs.linkSync(`${root}/dense`, `${root}/hard`);
  execFileSync('chown', [
    '-R',
    '-h',
    `${owner}:${owner}`,
    ...fs.readdirSync(root).flatMap((name) => (name === 'lost+found' ? [] : [`${root}/${name}`])),
  ]);
  execFileSync('sync');
}

/** Runs in the pod, too. */
function look(root: string): void {
  const { createHash } = process.getBuiltinModule('node:crypto');
  const fs = process.getBuiltinModule('node:fs');
  const whole = createHash('sha256');
  const chunk = Buffer.alloc(1 << 20);
  let entries = 0;
  let bytes = 0;
  const visit = (path: string): void => {
    for (const name of fs.readdirSync(root + path).sort()) {
      if (path === '' && name === 'lost+found') continue;
      const at = `${path}/${name}`;
      const { mode, uid, gid, size, nlink } = fs.lstatSync(root + at);
      const kind = mode & 0o170000;
      let of = '';
      if (kind === 0o120000) of = fs.readlinkSync(root + at);
      if (kind === 0o100000) {
        const hash = createHash('sha256');
        const file = fs.openSync(root + at, 'r');
        for (let read = 1; read > 0; ) {
          read = fs.readSync(file, chunk);
          hash.update(chunk.subarray(0, read));
        }
        fs.closeSync(file);
        of = `${size} ${nlink} ${hash.digest('hex')}`;
        bytes += size;
      }
      entries++;
      whole.update(`${at} ${mode.toString(8)} ${uid}:${gid} ${of}\n`);
      if (kind === 0o040000) visit(at);
    }
  };
  visit('');
  process.stdout.write(JSON.stringify({ entries, bytes, digest: whole.digest('hex') }));
}
