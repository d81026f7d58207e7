/**
 * Bundles the runner: bundle/stillpoint.mjs and its chunks. Drivers and SDKs that are imported dynamically become
 * chunks of their own, loaded only when used.
 *
 *     node scripts/bundle.mjs [--outdir bundle] [--metafile FILE]
 */
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';

const { values: options } = parseArgs({
  options: { outdir: { type: 'string', default: 'bundle' }, metafile: { type: 'string' } },
});
const root = new URL('..', import.meta.url).pathname;
const { version } = JSON.parse(await readFile(`${root}package.json`, 'utf8'));

await rm(options.outdir, { recursive: true, force: true });
await mkdir(options.outdir, { recursive: true });

const result = await build({
  absWorkingDir: root,
  entryPoints: [{ in: 'runner/launch.mjs', out: 'stillpoint' }],
  outdir: options.outdir,
  outExtension: { '.js': '.mjs' },
  chunkNames: 'chunks/[name]-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node22.19',
  // Names stay: stack traces in bug reports are worth more than the few bytes.
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: 'none',
  metafile: true,
  logLevel: 'warning',
  define: { STILLPOINT_VERSION: JSON.stringify(version) },
  // Optional native add-ons that their packages do without.
  external: ['pg-native', 'bufferutil', 'utf-8-validate'],
  // For the CommonJS packages in the bundle: they ask for Node's own modules by require.
  banner: {
    js: "import{createRequire as stillpointCreateRequire}from'node:module';const require=stillpointCreateRequire(import.meta.url);",
  },
  plugins: [onlyWhatIsUsedOf('@kubernetes/client-node')],
});

await chmod(`${options.outdir}/stillpoint.mjs`, 0o755);
if (options.metafile !== undefined) await writeFile(options.metafile, JSON.stringify(result.metafile));

/**
 * Lets the bundler leave out the modules of a package of which nothing is used. Its package.json does not say that
 * importing a module of it has no effect of its own, so all 2,000 generated models would be kept (6 MB, 40 ms).
 * Only the modules that gather others are marked: asking for each of the others takes ten seconds.
 */
function onlyWhatIsUsedOf(name) {
  const gathering = new RegExp(
    `^${name}$|(^|/)(index|all|config|object|watch|informer|cache|exec|ObjectParamAPI)\\.js$`,
  );
  return {
    name: 'only-what-is-used',
    setup(bundler) {
      bundler.onResolve({ filter: gathering }, async (args) => {
        if (args.pluginData === 'resolved' || !`${args.importer}/${args.path}`.includes(name)) return undefined;
        const { path, errors } = await bundler.resolve(args.path, {
          kind: args.kind,
          importer: args.importer,
          resolveDir: args.resolveDir,
          pluginData: 'resolved',
        });
        return errors.length > 0 ? { errors } : { path, sideEffects: false };
      });
    },
  };
}
