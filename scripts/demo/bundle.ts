import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT, runTool } from './run';

/** The program, in a folder of its own: a bundle that somebody else is using stays as it is. */
export interface Bundle extends AsyncDisposable {
  readonly stillpoint: string;
}

/** Bundles the runner, which is the command line too. */
export async function bundleRunner(): Promise<Bundle> {
  const folder = await mkdtemp(join(tmpdir(), 'stillpoint-bundle-'));
  await chmod(folder, 0o755);
  await runTool(join(ROOT, 'scripts', 'bundle.mjs'), ['--outdir', join(folder, 'bundle')]);
  return {
    stillpoint: join(folder, 'bundle', 'stillpoint.mjs'),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}
