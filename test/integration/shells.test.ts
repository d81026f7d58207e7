/** Completion as people have it: in each shell that this machine has, on a terminal, with the key that they press. */
import { spawnSync } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SHELLS, type Shell } from '../../runner/cli/completion/scripts';
import { DirectoryRegistry } from '../../runner/registry/directory';
import { type Bundle, bundleRunner } from '../../scripts/demo/bundle';
import { KEYS, NO_TERMINAL, onTerminal } from '../support/pseudo-terminal';
import { QuietLog } from '../support/quiet-log';
import { record } from '../support/record';

/** How a shell is started with nothing of its user's, how it says that it is ready, and what makes it know the completion. */
const START: Readonly<Record<Shell, readonly string[]>> = {
  bash: ['bash', '--norc', '--noprofile', '-i'],
  zsh: ['zsh', '-f', '-i'],
  fish: ['fish', '--private', '--no-config', '--interactive'],
};
const PROMPT = 'now> ';
const SET_PROMPT: Readonly<Record<Shell, string>> = {
  bash: "PS1='no''w> '\n",
  // It takes a tab that others follow at once for one that was pasted.
  zsh: "bindkey -e; zstyle ':completion:*' insert-tab false; PS1='no''w> '\n",
  fish: "function fish_prompt; echo -n 'no''w> '; end\n",
};
const SOURCE: Readonly<Record<Shell, string>> = {
  bash: 'source <(stillpoint completion bash)\n',
  zsh: 'source <(stillpoint completion zsh)\n',
  fish: 'stillpoint completion fish | source\n',
};

let bundle: Bundle;
let folder: string;
beforeAll(async () => {
  bundle = await bundleRunner();
  folder = await mkdtemp(join(tmpdir(), 'stillpoint-shells-'));
  await writeFile(join(folder, 'stillpoint'), `#!/bin/sh\nexec '${process.execPath}' '${bundle.stillpoint}' "$@"\n`);
  await chmod(join(folder, 'stillpoint'), 0o755);
  const registry = new DirectoryRegistry(join(folder, 'records'), new QuietLog());
  await registry.create(record({ database: 'a:b-db' }));
});
afterAll(async () => {
  await bundle?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** What becomes of a line when tab is pressed behind it, by each shell's own word: it prints the line. */
async function completed(shell: Shell, line: string): Promise<string> {
  const env = { PATH: `${folder}:${process.env.PATH}`, HOME: folder, XDG_CONFIG_HOME: folder, XDG_DATA_HOME: folder };
  const { screen } = await onTerminal([...START[shell]], {
    env: { ...env, LANG: 'C.UTF-8' },
    typing: [
      { when: '', keys: SET_PROMPT[shell] },
      { when: PROMPT, keys: SOURCE[shell] },
      { when: PROMPT, keys: `${line}${KEYS.tab}${KEYS.home}echo 'GO''T' ${'\n'}` },
      { when: 'GOT ', keys: 'exit\n' },
    ],
  });
  const said = screen.split(/[\r\n]+/).find((each) => each.startsWith('GOT '));
  return said?.slice('GOT '.length).trim() ?? screen;
}

describe.each(SHELLS)('%s', (shell) => {
  const there = spawnSync(shell, ['--version']).status === 0;
  const why = !there
    ? ` (left out: no ${shell} on this machine)`
    : NO_TERMINAL === undefined
      ? ''
      : ` (${NO_TERMINAL})`;

  test.skipIf(why !== '').for([
    ['stillpoint desc', 'stillpoint describe'],
    ['stillpoint wait --for=su', 'stillpoint wait --for=succeeded'],
    ['stillpoint list --eng', 'stillpoint list --engine'],
    ['stillpoint list -o js', 'stillpoint list -o json'],
  ])(`completes %s${why}`, async ([line = '', expected]) => {
    expect(await completed(shell, line)).toBe(expected);
  });

  test.skipIf(why !== '')(`completes a database from the records${why}`, async () => {
    const line = `stillpoint list --registry-directory ${join(folder, 'records')} a`;
    expect(await completed(shell, line)).toBe(`${line.slice(0, -1)}a:b-db`);
  });
});
