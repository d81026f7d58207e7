import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { run } from './run';
import type { Screen } from './screen';

/** Synthesises the examples into a temporary folder: what the checkout holds stays as it is. */
export async function synthesiseExamples(screen: Screen): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'stillpoint-synth-'));
  try {
    let files: readonly string[] = [];
    let objects = 0;
    await screen.step('the examples of charts/ synthesise to plain manifests', async () => {
      // npm puts the tools of the development dependencies on the path.
      await run('cdk8s', ['synth', '--no-check-upgrade', '--output', folder]);
      files = await readdir(folder);
      const texts = await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8')));
      objects = texts.reduce((count, text) => count + parseAllDocuments(text).length, 0);
    });
    if (objects === 0) throw new Error('the examples synthesised to nothing');
    screen.command(['cdk8s synth', `# ${objects} objects in ${files.length} files`]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
