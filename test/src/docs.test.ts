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

/** What the lines in the README's table of old ways take for granted besides. */
const OF_TABLE = `
declare const [schedule, credentials, storage]: [BackupSchedule, ReturnType<typeof Secret.fromSecretName>, BackupStorage];
declare const volumes: BackupVolume[];
declare const [serverImage, backupServers]: [string, string[]];
declare const uploads: ConstructorParameters<typeof VolumeMember>[1];
declare const graph: ConstructorParameters<typeof Neo4jMember>[1];
`;

/** The rows of the README's table of old ways, by their last cell: what is here instead. */
const instead = (/^## What was a page of scripts\n(.*?)^## /ms.exec(readFileSync('README.md', 'utf8'))?.[1] ?? '')
  .split('\n')
  .filter((line) => /^\| [^-|]/.test(line))
  .map((line) => line.split(' | ').at(-1) ?? '');

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

  it('has in each row of what was a page of scripts a line or a chart, and all of them compile', () => {
    expect(instead.length).toBeGreaterThanOrEqual(4);
    const lines = instead.map((cell) => [...cell.matchAll(/`(new [^`]+)`/g)].map(([, code = '']) => code));
    expect(lines.flat().length).toBeGreaterThanOrEqual(4);
    const charts = instead.map((cell) => [...cell.matchAll(/\((charts\/[^)]+)\)/g)].map(([, path = '']) => path));
    expect(instead.filter((_, row) => [...(lines[row] ?? []), ...(charts[row] ?? [])].length === 0)).toEqual([]);
    expect(
      complaints([
        ...lines.flat().map((line, index) => ({
          file: resolve(`example-instead-${index}.ts`),
          code: `${PRELUDE}${OF_TABLE}${line};`,
        })),
        // Whichever it is, main.ts makes manifests of all of them (dist.test.ts).
        ...charts.flat().map((path) => ({ file: resolve(path), code: readFileSync(path, 'utf8') })),
      ]),
    ).toEqual([]);
  });

  it('has examples that are really compiled', () => {
    const broken = { file: resolve('example-broken.ts'), code: `${PRELUDE}BackupSchedule.daily({ hour: 'two' });` };
    expect(complaints([broken])).toHaveLength(1);
  });
});
