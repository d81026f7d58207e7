/** Temporary files of a run go into a folder of its own, which goes with the run: cdk8s leaves a folder for each app of a test. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export function setup(): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'stillpoint-tests-'));
  // Run as root, the tests start servers as somebody else, who has to get through.
  chmodSync(folder, 0o755);
  process.env.TMPDIR = folder;
  return () => rmSync(folder, { recursive: true, force: true });
}
