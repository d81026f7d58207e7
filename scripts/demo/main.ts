/**
 * Shows the main job for real: `npm run demo` on this machine alone, `npm run demo -- --cluster` on the cluster of the
 * current kubeconfig.
 */
import { parseArgs } from 'node:util';
import { screen } from './screen';
import { synthesiseExamples } from './synth';

async function main(): Promise<number> {
  try {
    const { values } = parseArgs({ options: { cluster: { type: 'boolean', default: false } } });
    await synthesiseExamples(screen);
    const { demonstrate } = values.cluster ? await import('./cluster') : await import('./local');
    const { holds, sentence, lines } = await demonstrate(screen);
    screen.table(lines);
    screen.verdict(holds, sentence);
    return holds ? 0 : 1;
  } catch (error) {
    for (const reason of reasonsOf(error)) screen.verdict(false, reason);
    return 1;
  }
}

/** What went wrong, and after it what went wrong in tidying up. */
function reasonsOf(error: unknown): readonly string[] {
  if (error instanceof SuppressedError) return [...reasonsOf(error.suppressed), ...reasonsOf(error.error)];
  return [error instanceof Error ? error.message : String(error)];
}

void main().then((code) => {
  process.exitCode = code;
});
