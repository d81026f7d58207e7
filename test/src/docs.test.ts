import { spawnSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import * as stillpoint from '../../src';

/** What examples of a few lines take for granted. An example that imports anything has to import everything. */
const PRELUDE = `
import { App, Chart, Duration, Size } from 'cdk8s';
import { Secret } from 'cdk8s-plus-28';
import * as stillpoint from 'stillpoint';
import { ${Object.keys(stillpoint).join(', ')} } from 'stillpoint';
declare const chart: Chart;
declare const backup: PostgresBackup;
`;

const examples = globSync(['README.md', 'docs/**/*.md']).flatMap((page) =>
  [...readFileSync(page, 'utf8').matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code = ''], index) => ({
    name: `${page} #${index + 1}`,
    file: resolve(`example-${page.replaceAll(/\W/g, '-')}-${index}.ts`),
    code: /^import /m.test(code) ? code : PRELUDE + code,
  })),
);

/** The compiler's complaints on all examples, as one program. */
function complaints(files: readonly { readonly file: string; readonly code: string }[]): readonly string[] {
  const { config } = ts.readConfigFile('tsconfig.json', ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, '.');
  const texts = new Map(files.map(({ file, code }) => [file, code]));
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists, readFile } = host;
  host.fileExists = (name) => texts.has(name) || fileExists(name);
  host.readFile = (name) => texts.get(name) ?? readFile(name);
  host.getSourceFile = (name, version) => {
    const text = texts.get(name);
    return text === undefined ? getSourceFile(name, version) : ts.createSourceFile(name, text, version);
  };
  const program = ts.createProgram([...texts.keys()], options, host);
  return [...texts.keys()]
    .map((file) => program.getSourceFile(file))
    .flatMap((source) => ts.getPreEmitDiagnostics(program, source))
    .map(({ file, messageText }) => `${file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`);
}

describe('the documentation', () => {
  it('that is made of the source is fresh: else run npm run docs, and commit it', () => {
    const check = spawnSync(process.execPath, ['--import', 'tsx', 'scripts/docs.mts', '--check'], { encoding: 'utf8' });
    expect(check.stderr).toBe('');
    expect(check.status).toBe(0);
  });

  it('has examples that compile', () => {
    expect(examples.length).toBeGreaterThan(5);
    expect(complaints(examples)).toEqual([]);
  });

  it('has examples that are really compiled', () => {
    const broken = { file: resolve('example-broken.ts'), code: `${PRELUDE}BackupSchedule.daily({ hour: 'two' });` };
    expect(complaints([broken])).toHaveLength(1);
  });
});
