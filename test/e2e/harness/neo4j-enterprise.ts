/**
 * A stand-in for a Neo4j of the Enterprise edition, in a pod, and one for its neo4j-admin, in the image of Jobs: neither was to be had.
 * standins/neo4j/server.ts and test/support/neo4j-admin-standin.mjs say what they are not.
 */
import { readFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { ApiObject, type Chart, JsonPatch } from 'cdk8s';
import { build } from 'esbuild';
import { type Anything, apply, KINDS } from './cluster';
import { secret, statefulServer } from './objects';
import { addressOf, isReady } from './pods';
import { eventually } from './wait';

/** What Jobs run in, in place of the vendor's image: it has Node, which the tool's stand-in is written for. */
export const ADMIN_IMAGE = 'node:24';

export const GRAPH_PASSWORD = 'nodes behind an alias';

const CONTROL_PORT = 8080;

/** What the server holds, and who waits for it. */
export interface GraphState {
  readonly databases: Readonly<Record<string, { readonly lastCommittedTxn?: number; readonly currentStatus?: string }>>;
  readonly aliases: Readonly<Record<string, string>>;
  /** The statements that changed something. */
  readonly changed: readonly string[];
  readonly waiting: { readonly backup: number; readonly seed: number };
}

export interface TestGraph {
  readonly name: string;
  readonly credentials: string;
  address(): Promise<string>;
  state(): Promise<GraphState>;
  /** Sets how far a database is; `metadata`: what a backup brings of users and roles. */
  set(database: string, highest: number, metadata?: string): Promise<void>;
  /** Whether backups get no answer, or a seed becomes no database. */
  hold(what: 'backup' | 'seed', held: boolean): Promise<void>;
}

/** Starts it, and waits until it answers. */
export async function startGraph(namespace: string, name = 'graph'): Promise<TestGraph> {
  const [pod, credentials] = [`${name}-0`, `${name}-login`];
  const admin = await readFile(new URL('../../support/neo4j-admin-standin.mjs', import.meta.url), 'utf8');
  const metadata = { name, namespace };
  await apply([
    { ...KINDS.configMap, metadata, binaryData: { 'server.mjs.gz': await standIn() } } as Anything,
    { ...KINDS.configMap, metadata: { name: TOOL, namespace }, data: { 'neo4j-admin': shebang(admin) } } as Anything,
    secret({ name: credentials, namespace }, { username: 'neo4j', password: GRAPH_PASSWORD }),
    ...statefulServer({ namespace, name, port: 7687, volumes: [], members: `${name}-members`, pod: podSpec(name) }),
  ]);
  await eventually(`${name} is ready`, () => isReady(pod, namespace), { seconds: 120 });
  const ask = async (path: string, body?: unknown): Promise<GraphState> => {
    const url = `http://${await addressOf(pod, namespace)}:${CONTROL_PORT}/${path}`;
    const how = body === undefined ? {} : { method: 'PUT', body: JSON.stringify(body) };
    return (await (await fetch(url, how)).json()) as GraphState;
  };
  return {
    name,
    credentials,
    address: () => addressOf(pod, namespace),
    state: () => ask('state'),
    set: async (database, highest, script) => void (await ask(`databases/${database}`, { highest, metadata: script })),
    hold: async (what, held) => void (await ask(`hold/${what}`, held)),
  };
}

/** Where it listens for backups, by its name in the namespace. */
export function backupServerOf({ name }: TestGraph): string {
  return `${name}-0.${name}-members:6362`;
}

const TOOL = 'neo4j-admin-stand-in';

const MOUNT = { name: 'tool', mountPath: '/usr/local/bin/neo4j-admin', subPath: 'neo4j-admin', readOnly: true };

/** Puts the tool on the PATH of every pod of a chart's Jobs, where the vendor's image has its own. */
export function addTool(chart: Chart): void {
  for (const object of chart.node.findAll().filter((each) => ApiObject.isApiObject(each))) {
    const pod = POD_PATHS[object.kind];
    if (pod === undefined) continue;
    const volume = { name: 'tool', configMap: { name: TOOL, defaultMode: 0o555 } };
    object.addJsonPatch(JsonPatch.add(`${pod}/volumes/-`, volume));
    object.addJsonPatch(JsonPatch.add(`${pod}/containers/0/volumeMounts/-`, MOUNT));
  }
}

const POD_PATHS: Readonly<Record<string, string>> = {
  CronJob: '/spec/jobTemplate/spec/template/spec',
  Job: '/spec/template/spec',
};

function shebang(program: string): string {
  // In a file without an ending Node looks for itself what kind of module it is.
  return `#!/usr/bin/env node\n${program}`;
}

/** The server's stand-in as one file. */
async function standIn(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [new URL('../standins/neo4j/server.ts', import.meta.url).pathname],
    bundle: true,
    minify: true,
    platform: 'node',
    format: 'esm',
    write: false,
    logLevel: 'error',
  });
  return gzipSync(outputFiles[0]?.contents ?? '').toString('base64');
}

const START =
  "const{readFileSync:r,writeFileSync:w}=require('fs');w('/tmp/server.mjs',require('zlib').gunzipSync(r('/app/server.mjs.gz')));import('/tmp/server.mjs')";

function podSpec(name: string): object {
  const login = (key: string): object => ({ valueFrom: { secretKeyRef: { name: `${name}-login`, key } } });
  return {
    terminationGracePeriodSeconds: 1,
    containers: [
      {
        name: 'neo4j',
        image: 'node:24',
        command: ['node', '-e', START],
        env: [
          { name: 'USERNAME', ...login('username') },
          { name: 'PASSWORD', ...login('password') },
        ],
        readinessProbe: { tcpSocket: { port: CONTROL_PORT }, periodSeconds: 1 },
        volumeMounts: [{ name: 'program', mountPath: '/app' }],
      },
    ],
    volumes: [{ name: 'program', configMap: { name } }],
  };
}
