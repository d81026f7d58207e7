import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import type { Manifest } from './synth';

const fresh = mkdtempSync(join(tmpdir(), 'stillpoint-dist-'));

/** The files of a folder with what is in them. */
function contents(folder: string): Record<string, string> {
  return Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
}

beforeAll(() => {
  // The command of cdk8s.yaml, into a folder of its own.
  execFileSync(process.execPath, ['--import', 'tsx', 'charts/main.ts'], {
    env: { ...process.env, CDK8S_OUTDIR: fresh },
  });
});
afterAll(() => rmSync(fresh, { recursive: true }));

/** A manifest's name without its place in the order. */
const situation = (file: string): string => basename(file, '.k8s.yaml').replace(/^\d{4}-/, '');

describe('dist/', () => {
  it('is what charts/ make: else run npm run synth, and commit it', () => {
    expect(contents('dist')).toEqual(contents(fresh));
  });

  it('has one manifest for each chart', () => {
    const charts = readdirSync('charts').filter((name) => name !== 'main.ts');
    expect(readdirSync('dist').map(situation).sort()).toEqual(charts.map((name) => basename(name, '.ts')).sort());
  });

  it('applies the registry first: the others grant rights in its namespace', () => {
    expect(readdirSync('dist').sort().map(situation)[0]).toBe('registry');
  });

  const manifests: Manifest[] = Object.values(contents('dist')).flatMap((text) =>
    parseAllDocuments(text).map((document) => document.toJS()),
  );
  const workloads = manifests.filter(({ kind }) => kind === 'CronJob' || kind === 'Job');

  it('has workloads of each sort', () => {
    expect(workloads.map(({ metadata }) => metadata.name.replace(/-[0-9a-f]{8}$/, '')).sort()).toEqual([
      'accounts-db-backup',
      'billing-db-backup',
      'billing-db-backup-release-42',
      'catalogue-db-backup',
      'customer1-back-restore',
      'customers-backup',
      'customers-backup-release',
      'invoices-db-backup',
      'invoices-db-backup-presync',
      'invoices-db-backup-release',
      'ledger-db-backup',
      'messaging-demo-backup',
      'ocelot-backup',
      'ocelot-dump-backup',
      'ocelot-dump-copy-restore',
      'ocelot-neo4j-copy-prepare',
      'ocelot-offline-backup',
      'ocelot-uploads-copy-prepare',
      'orders-back-restore',
      'orders-clone',
      'orders-copy-backup',
      'orders-copy-prepare',
      'orders-db-backup',
      'orders-db-backup',
      'orders-dump-backup',
      'sessions-db-backup',
      'shop-backup',
      'stillpoint-pruner',
      'uploads-backup',
    ]);
  });

  it('takes no secret from an environment variable, and has none in it', () => {
    for (const { spec } of workloads) {
      for (const container of (spec.jobTemplate?.spec ?? spec).template.spec.containers) {
        expect(container.envFrom).toBeUndefined();
        for (const { name, value, valueFrom } of container.env) {
          // In an image that is not its own the runner is told what its own would tell it.
          if (name === 'HOME' || name === 'NODE_COMPILE_CACHE') continue;
          expect(value).toBeUndefined();
          expect(Object.keys(valueFrom)).toEqual(['fieldRef']);
        }
      }
    }
    expect(manifests.map(({ kind }) => kind)).not.toContain('Secret');
  });

  it('has no two objects of one name', () => {
    const names = manifests.map(({ kind, metadata }) => `${kind} ${metadata.namespace ?? ''}/${metadata.name}`);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  });

  it('gives cluster-wide objects no namespace, and all others one', () => {
    const clusterWide = /^(Namespace|Cluster.*|ValidatingAdmission.*|Volume(Group)?SnapshotClass)$/;
    for (const { kind, metadata } of manifests) {
      expect([kind, metadata.namespace !== undefined]).toEqual([kind, !clusterWide.test(kind)]);
    }
  });
});
