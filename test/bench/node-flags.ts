import { readFileSync } from 'node:fs';

/** What the image starts Node with. */
export function nodeFlags(): readonly string[] {
  const entry = /^ENTRYPOINT (\[.*\])$/m.exec(readFileSync('Dockerfile', 'utf8'))?.[1] ?? '[]';
  return (JSON.parse(entry) as readonly string[]).filter((arg) => arg.startsWith('--') && arg !== '--library-path');
}
