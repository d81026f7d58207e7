/** Whether the image that the runner was brought into is one that it works in. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Finding } from '../ports';

/**
 * Names resolve, and users are found, by the C library of the runner's own glibc; what an image with musl has for that is of
 * another kind, and nobody has tried them together.
 */
export async function imageFindings(root: string | undefined): Promise<readonly Finding[]> {
  // The runner was not brought here: Node and the tools are those of the machine.
  if (root === undefined) return [];
  const files = await readdir(join(root, 'lib')).catch((): string[] => []);
  const musl = files.find((file) => /^ld-musl-.*\.so\.\d+$/.test(file));
  if (musl === undefined) return [];
  return [
    {
      severity: 'error',
      code: 'image-unsuitable',
      subject: "the engine's image",
      message: `the image that the job runs in has musl (/lib/${musl}), and the runner needs one with glibc`,
      hint: "name the image without -alpine in serverImage: the engine's usual one",
    },
  ];
}
