import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

/** Who may import whom. The direction is charts → src → src/contract and runner/main → commands → the rest → src/contract. */

const FILES = globSync(['{src,runner,charts}/**/*.{ts,mts,mjs}']).filter((file) => !file.startsWith('src/imports/'));

interface Import {
  readonly from: string;
  /** A path from the top of the repository without extension, or the name of a package. */
  readonly to: string;
}

const IMPORTS: readonly Import[] = FILES.flatMap((from) =>
  ts.preProcessFile(readFileSync(from, 'utf8'), true, true).importedFiles.map(({ fileName }) => ({
    from,
    to: fileName.startsWith('.') ? normalize(join(dirname(from), fileName)) : fileName,
  })),
);

const isPath = (to: string): boolean => /^(src|runner|charts|test|scripts)(\/|$)/.test(to);
const within = (path: string, folder: string): boolean => path === folder || path.startsWith(`${folder}/`);

/** The imports of a folder that a rule does not admit, as lines to read in a failure. */
function offences(folder: string, admits: (to: string, from: string) => boolean): readonly string[] {
  return IMPORTS.filter(({ from, to }) => within(from, folder) && !admits(to, from)).map(
    ({ from, to }) => `${from} → ${to}`,
  );
}

/** runner/engines/<engine>. */
const engineOf = (path: string): string | undefined => /^runner\/engines\/([^/]+)\//.exec(`${path}/`)?.[1];

describe('imports', () => {
  it('are found', () => {
    expect(FILES).toContain('src/databases/postgres.ts');
    expect(IMPORTS).toContainEqual({ from: 'src/databases/postgres.ts', to: 'src/database-backup' });
    expect(IMPORTS.length).toBeGreaterThan(100);
  });

  it('of src/contract stay within it', () => {
    expect(offences('src/contract', (to) => within(to, 'src/contract'))).toEqual([]);
  });

  it('of src are src, cdk8s and yaml', () => {
    const packages = ['cdk8s', 'cdk8s-plus-28', 'constructs', 'yaml'];
    expect(offences('src', (to) => within(to, 'src') || to.startsWith('node:') || packages.includes(to))).toEqual([]);
  });

  it('of charts are the public face and nothing behind it', () => {
    const packages = ['stillpoint', 'cdk8s', 'cdk8s-plus-28', 'constructs'];
    expect(offences('charts', (to) => within(to, 'charts') || packages.includes(to))).toEqual([]);
  });

  it('of the runner are the runner and the contract, not the constructs', () => {
    expect(offences('runner', (to) => !isPath(to) || within(to, 'runner') || within(to, 'src/contract'))).toEqual([]);
    expect(offences('runner', (to) => !['cdk8s', 'cdk8s-plus-28', 'constructs', 'stillpoint'].includes(to))).toEqual(
      [],
    );
  });

  it('of an engine lead to no other engine, to no command and to no cluster', () => {
    const forbidden = [
      'runner/kube',
      'runner/commands',
      'runner/snapshots',
      'runner/registry',
      'runner/main',
      'runner/cli',
    ];
    expect(
      offences('runner/engines', (to, from) => {
        const [own, other] = [engineOf(from), engineOf(to)];
        const foreign =
          own !== undefined && !from.startsWith('runner/engines/index') && other !== undefined && other !== own;
        return !foreign && !forbidden.some((folder) => within(to, folder));
      }),
    ).toEqual([]);
  });

  it('of a command lead to ports and pure code: main wires the rest', () => {
    const wired = [
      'runner/kube',
      'runner/engines',
      'runner/wiring',
      'runner/main',
      'runner/cli',
      'pg',
      '@kubernetes/client-node',
    ];
    expect(offences('runner/commands', (to) => !wired.some((folder) => within(to, folder)))).toEqual([]);
  });

  it('of the Kubernetes client are in runner/kube alone', () => {
    const importers = IMPORTS.filter(({ to }) => to.startsWith('@kubernetes/')).map(({ from }) => from);
    expect(importers.filter((from) => !within(from, 'runner/kube'))).toEqual([]);
  });

  it('of an SDK of object storage are in the folder of its kind', () => {
    const homes = [
      { of: /^@(aws-sdk|smithy)\//, home: 'runner/storage/s3' },
      { of: /^@azure\//, home: 'runner/storage/azure' },
      { of: /^google-auth-library$/, home: 'runner/storage/gcs' },
    ];
    for (const { of, home } of homes) {
      const importers = IMPORTS.filter(({ to }) => of.test(to)).map(({ from }) => from);
      expect(importers.filter((from) => !within(from, home))).toEqual([]);
    }
  });

  it('of a kind of object storage are in the one list, which loads it when it is asked for', () => {
    const kinds = /^runner\/storage\/(s3|gcs|azure|swift|directory)(\/|$)/;
    const importers = IMPORTS.filter(({ from, to }) => kinds.test(to) && !kinds.test(from)).map(({ from }) => from);
    expect([...new Set(importers)]).toEqual(['runner/storage/index.ts']);
    expect(readFileSync('runner/storage/index.ts', 'utf8')).not.toMatch(
      /^import .*'\.\/(s3|gcs|azure|swift|directory)/m,
    );
  });

  it('of a driver are in the folder of its engine', () => {
    const importers = IMPORTS.filter(({ to }) => to === 'pg').map(({ from }) => from);
    expect(importers.filter((from) => !within(from, 'runner/engines/postgres'))).toEqual([]);
  });
});

/** The string literals of a file. */
function literals(file: string): readonly string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node)) {
      found.push(node.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true));
  return found;
}

describe('an engine', () => {
  /** Where an engine may be called by its name. */
  const OWN = [/^runner\/engines\//, /^src\/databases\//, /^src\/contract\/engines\.ts$/, /^charts\//];

  it('is called by its name only in its own files: elsewhere one asks its interface', () => {
    const named = FILES.filter((file) => !OWN.some((own) => own.test(file))).filter((file) =>
      literals(file).includes('postgres'),
    );
    expect(named).toEqual([]);
  });

  it('is never switched on', () => {
    expect(FILES.filter((file) => /switch \([^)]*engine/i.test(readFileSync(file, 'utf8')))).toEqual([]);
  });
});

describe('the process', () => {
  it('is ended by main alone', () => {
    const enders = FILES.filter((file) => /process\.(exit\(|exitCode =)/.test(readFileSync(file, 'utf8')));
    expect(enders.filter((file) => !['runner/main.ts', 'runner/launch.mjs'].includes(file))).toEqual([]);
  });
});

describe('manifests', () => {
  const written = globSync(['{src,charts}/**/*.ts']).filter((file) => !file.startsWith('src/imports/'));

  it('are never in strings', () => {
    const inStrings = written.filter((file) =>
      literals(file).some((text) => /(^|\n)\s*(apiVersion|kind): /.test(text)),
    );
    expect(inStrings).toEqual([]);
  });

  it('run no shell', () => {
    const shells = [...written, ...globSync(['dist/*.yaml'])].filter((file) =>
      /\b(ba|a|da)?sh['"]?,?\s+(- )?['"]?-c\b/.test(readFileSync(file, 'utf8')),
    );
    expect(shells).toEqual([]);
  });
});
