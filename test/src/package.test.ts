import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { DEFAULT_IMAGE, VERSION } from '../../src/image';

/** The published form: the tarball in a project that has nothing else, offline. */

const project = mkdtempSync(join(tmpdir(), 'stillpoint-package-'));
const manifest = JSON.parse(readFileSync('package.json', 'utf8'));
const tarball = `stillpoint-${manifest.version}.tgz`;

/** The npm settings of the test's own run are no business of the new project. */
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.toLowerCase().startsWith('npm_')));

function run(command: string, args: readonly string[], cwd = project): string {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, env, encoding: 'utf8' });
  if (status === 0) return stdout;
  throw new Error(`${command} ${args.join(' ')} ended with ${status}: ${stdout}${stderr}`);
}

/** What a package's user has, copied from here: nothing else can be fetched. */
const installed = (name: string): string => `file:${resolve('node_modules', name)}`;
const PEERS = ['cdk8s', 'cdk8s-plus-28', 'constructs'];

beforeAll(() => {
  if (!existsSync('bundle/stillpoint.mjs'))
    throw new Error('there is no bundle/stillpoint.mjs: run npm run build first');
  run('npm', ['run', 'build:lib'], '.');
  run('npm', ['pack', '--ignore-scripts', '--pack-destination', project], '.');
  const dependencies = Object.fromEntries([...PEERS, 'yaml'].map((name) => [name, installed(name)]));
  writeFileSync(
    join(project, 'package.json'),
    JSON.stringify({ private: true, type: 'module', dependencies: { stillpoint: `file:${tarball}`, ...dependencies } }),
  );
  run('npm', ['install', '--offline', '--install-links', '--no-audit', '--no-fund']);
});
afterAll(() => rmSync(project, { recursive: true, force: true }));

/** The README's first code block that makes a policy. */
function readmeExample(): string {
  const blocks = readFileSync('README.md', 'utf8').matchAll(/^```ts\n(.*?)^```$/gms);
  const example = [...blocks].map(([, code]) => code).find((code) => code?.includes('new PostgresBackup('));
  if (example === undefined) throw new Error('README.md has no ts block with a PostgresBackup');
  return example;
}

describe('the package', () => {
  it('brings the constructs, the runner’s bundle, and nothing that is written for us alone', () => {
    const files = run('tar', ['-tzf', tarball]).trim().split('\n');
    const tops = new Set(files.map((file) => file.split('/')[1]));
    expect([...tops].sort()).toEqual(expect.arrayContaining(['README.md', 'bundle', 'lib', 'package.json']));
    for (const top of tops) expect(['LICENSE', 'README.md', 'bundle', 'lib', 'package.json']).toContain(top);
  });

  it('pulls in yaml and what the user has anyway: no database driver, no Kubernetes client', () => {
    const packages = readdirSync(join(project, 'node_modules')).filter((name) => !name.startsWith('.'));
    expect(packages.sort()).toEqual([...PEERS, 'stillpoint', 'yaml'].sort());
    expect(Object.keys(manifest.dependencies)).toEqual(['yaml']);
    expect(Object.keys(manifest.peerDependencies)).toEqual(PEERS);
  });

  it('synthesises the example of the README', () => {
    writeFileSync(join(project, 'main.ts'), readmeExample());
    run(process.execPath, ['main.ts']);
    const files = readdirSync(join(project, 'dist')).map((name) => readFileSync(join(project, 'dist', name), 'utf8'));
    const objects = files.flatMap((text) => parseAllDocuments(text).map((document) => document.toJS()));
    expect(objects.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(['ServiceAccount', 'Role', 'RoleBinding', 'ConfigMap', 'CronJob']),
    );
    const policy = objects.find(
      ({ kind, metadata }) => kind === 'CronJob' && metadata.labels['stillpoint.dev/database'],
    );
    expect(policy.spec.jobTemplate.spec.template.spec.containers[0].image).toBe(DEFAULT_IMAGE);
  });

  it('has types that the example compiles with, strictly, and the declarations with it', () => {
    const compilerOptions = {
      ...{ noEmit: true, strict: true, skipLibCheck: false },
      ...{ module: 'nodenext', target: 'es2023', types: [] },
    };
    writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['main.ts'] }));
    const compile = (example: string): string => {
      writeFileSync(join(project, 'main.ts'), example);
      return run(process.execPath, [resolve('node_modules/typescript/bin/tsc')]);
    };
    expect(compile(readmeExample())).toBe('');
    expect(() => compile(readmeExample().replace('hour: 2', "hour: 'two'"))).toThrow();
  });

  it('keeps its inside to itself', () => {
    expect(() => run(process.execPath, ['-e', "await import('stillpoint/lib/contract/index.js')"])).toThrow(
      'ERR_PACKAGE_PATH_NOT_EXPORTED',
    );
    const declarations = readdirSync(join(project, 'node_modules/stillpoint/lib')).filter((name) =>
      name.endsWith('.d.ts'),
    );
    const internal = declarations.filter((name) =>
      /^ +(public |protected |get |abstract )*_\w+/m.test(
        readFileSync(join(project, 'node_modules/stillpoint/lib', name), 'utf8'),
      ),
    );
    expect(internal).toEqual([]);
  });

  it('serves CommonJS as well', () => {
    const names = run(process.execPath, ['-p', "Object.keys(require('stillpoint')).join()"]);
    expect(names).toContain('PostgresBackup');
  });

  it('brings the command', () => {
    expect(run(join(project, 'node_modules/.bin/stillpoint'), ['--version']).trim()).toBe(manifest.version);
  });

  it('asks for a runner of its own version', () => {
    expect(VERSION).toBe(manifest.version);
    expect(DEFAULT_IMAGE).toBe(`stillpoint:${manifest.version}`);
  });
});
