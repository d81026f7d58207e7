/**
 * The pod of a storage manager of NuoDB whose backup hooks freeze its file system or suspend its process: two stand-ins
 * (test/e2e/standins), in two containers that share volumes and processes as those of NuoDB's Helm chart do.
 */
import { readFileSync } from 'node:fs';
import { type Anything, KINDS } from './cluster';

/** Where a storage manager has its files, and who answers for its hooks. */
export const ARCHIVE = '/var/opt/nuodb/archive';
export const JOURNAL = '/var/opt/nuodb/journal';
export const HOOKS_PORT = 8000;

/** What is really done to the engine; hotsnap is the image's own (harness/nuodb.ts). */
export type RealFreeze = 'fsfreeze' | 'suspend';

/** The name of the ConfigMap with both programs. */
const PROGRAMS = 'nuodb-standins';

/** Both programs: Node runs them as they are. */
export function modesPrograms(namespace: string): Anything {
  const source = (name: string): string => readFileSync(new URL(`../standins/${name}.ts`, import.meta.url), 'utf8');
  const data = Object.fromEntries(['nuodb-engine', 'nuodb-hooks'].map((name) => [`${name}.mts`, source(name)]));
  return { ...KINDS.configMap, metadata: { name: PROGRAMS, namespace }, data } as Anything;
}

export function modesPod(mode: RealFreeze): object {
  const mounts = [
    { name: 'archive-volume', mountPath: ARCHIVE },
    { name: 'journal-volume', mountPath: JOURNAL },
    { name: 'status', mountPath: '/run/nuodb' },
    { name: 'programs', mountPath: '/app' },
  ];
  const status = '/run/nuodb/status';
  const env = { NUODB_ARCHIVE_DIR: ARCHIVE, NUODB_JOURNAL_DIR: JOURNAL, STATUS_FILE: status };
  const container = (name: string, program: string, more: Readonly<Record<string, string>>): object => ({
    name,
    image: 'node:24',
    command: ['node', `/app/${program}.mts`, status],
    env: Object.entries({ ...env, ...more }).map(([variable, value]) => ({ name: variable, value })),
    securityContext: { runAsUser: 0 },
    volumeMounts: mounts,
  });
  return {
    terminationGracePeriodSeconds: 5,
    // The hooks stop the engine's process.
    shareProcessNamespace: true,
    containers: [
      container('engine', 'nuodb-engine', {}),
      {
        ...container('backup-hooks', 'nuodb-hooks', { FREEZE_MODE: mode, FREEZE_TIMEOUT: '30' }),
        ports: [{ containerPort: HOOKS_PORT }],
        // For fsfreeze.
        securityContext: { runAsUser: 0, capabilities: { add: ['SYS_ADMIN'] } },
        // That of the chart asks the domain, which takes a suspended engine for one that runs: here it asks nothing of the engine.
        readinessProbe: { httpGet: { path: '/state', port: HOOKS_PORT }, periodSeconds: 1, timeoutSeconds: 5 },
      },
    ],
    volumes: [
      { name: 'status', emptyDir: { medium: 'Memory' } },
      { name: 'programs', configMap: { name: PROGRAMS } },
    ],
  };
}
