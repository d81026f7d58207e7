/** An engine's own tools on this machine: those of its image, run with the libraries of the image, as an installed client would be. */
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runnerProcess } from './runner-process';

/** Where Debian has the loader and the libraries, in the image. */
const LOADER = 'usr/lib64/ld-linux-x86-64.so.2';
const LIBRARIES = ['usr/lib/x86_64-linux-gnu', 'lib/x86_64-linux-gnu'];

/**
 * Puts tools of a running pod's image into a folder of this machine, for its PATH: each is the image's own program, and a process of this
 * machine, with this machine's files and network. They work as long as the pod runs.
 */
export async function putImageTools(
  folder: string,
  { pod, namespace }: { readonly pod: string; readonly namespace: string },
  names: readonly string[],
): Promise<void> {
  const { pid } = await runnerProcess(pod, namespace);
  const root = `/proc/${pid}/root`;
  const libraries = LIBRARIES.map((each) => `${root}/${each}`).join(':');
  for (const name of names) {
    const words = [`${root}/${LOADER}`, '--argv0', name, '--library-path', libraries, `${root}/usr/bin/${name}`];
    await writeFile(join(folder, name), `#!/bin/sh\nexec ${words.join(' ')} "$@"\n`);
    await chmod(join(folder, name), 0o755);
  }
}
