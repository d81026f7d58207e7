import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Application } from 'typedoc';

/** Writes the reference of the constructs, from their own comments, into a folder. */
export async function writeApi(folder: string): Promise<void> {
  const app = await Application.bootstrapWithPlugins({
    entryPoints: ['src/index.ts'],
    tsconfig: 'tsconfig.lib.json',
    plugin: ['typedoc-plugin-markdown'],
    name: 'stillpoint',
    readme: 'none',
    // Line numbers and revisions would make each commit's reference another one.
    disableSources: true,
    hideGenerator: true,
    excludeInternal: true,
    excludePrivate: true,
    excludeProtected: true,
    excludeExternals: true,
    // A default is a sentence as often as it is a value.
    jsDocCompatibility: { defaultTag: false },
    treatWarningsAsErrors: true,
    logLevel: 'Warn',
    outputs: [{ name: 'markdown', path: folder }],
    ...MARKDOWN,
  });
  const project = await app.convert();
  if (project === undefined) throw new Error('typedoc could not read src/index.ts');
  app.validate(project);
  await app.generateOutputs(project);
  if (app.logger.hasErrors() || app.logger.hasWarnings()) throw new Error('typedoc has complaints, see above');
}

/** Options of typedoc-plugin-markdown, which typedoc's types do not know. */
const MARKDOWN: object = {
  hidePageHeader: true,
  hideBreadcrumbs: true,
  useCodeBlocks: false,
  parametersFormat: 'table',
};

/** All files under a folder, by their paths within it. */
export function filesUnder(folder: string): ReadonlyMap<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(
    files
      .map(({ parentPath, name }) => join(parentPath, name))
      .map((path): [string, string] => [path.slice(folder.length + 1), readFileSync(path, 'utf8')])
      .sort(([one], [other]) => (one < other ? -1 : 1)),
  );
}
