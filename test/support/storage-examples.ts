/** The examples of docs/storage.md, one a store, as programs of their reader's. */
import { readFileSync } from 'node:fs';
import * as cdk8s from 'cdk8s';
import * as plus from 'cdk8s-plus-28';
import ts from 'typescript';
import { parse } from 'yaml';
import * as stillpoint from '../../src';
import { DUMP_CONFIG, type DumpConfig, fits } from '../../src/contract';
import { type Manifest, only, podOf, shop } from '../src/synth';

/** The first block below each heading, by the heading. */
export const STORAGE_EXAMPLES: ReadonlyMap<string, string> = new Map(
  [...readFileSync('docs/storage.md', 'utf8').matchAll(/^## ([^\n]+)\n\n```ts\n(.*?)^```$/gms)].map(
    ([, title = '', code = '']) => [title, code],
  ),
);

/** An example that was run. */
export interface RunExample {
  readonly manifests: readonly Manifest[];
  readonly config: DumpConfig;
  /** What the runner's container mounts: the volume of the pod by where it is mounted. */
  readonly mounts: ReadonlyMap<string, Manifest>;
}

/** Runs an example. Throws where there is none of this title, and where what it writes is no config. */
export function runExample(title: string): RunExample {
  const code = STORAGE_EXAMPLES.get(title);
  if (code === undefined) throw new Error(`docs/storage.md has no example ${title}`);
  const chart = shop();
  const known = { ...stillpoint, Secret: plus.Secret, Duration: cdk8s.Duration, chart };
  const script = ts.transpile(code, { target: ts.ScriptTarget.ES2022 });
  new Function(...Object.keys(known), script)(...Object.values(known));
  const manifests = cdk8s.Testing.synth(chart);
  const config: unknown = parse(only(manifests, 'ConfigMap').data['backup.yaml']);
  if (!fits(DUMP_CONFIG, config)) throw new Error('the config does not fit its schema');
  const { containers, volumes } = podOf(only(manifests, 'CronJob')).spec;
  const mounts = new Map<string, Manifest>(
    containers[0].volumeMounts.map(({ name, mountPath }: Manifest) => [
      mountPath,
      volumes.find((volume: Manifest) => volume.name === name),
    ]),
  );
  return { manifests, config, mounts };
}
