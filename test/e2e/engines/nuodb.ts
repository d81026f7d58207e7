/**
 * NuoDB: the stand-in for a storage manager with its backup hooks (harness/nuodb.ts) as the contract suite sees it. Its
 * ledger are the atoms that it writes by itself.
 */
import { engine } from '../../../runner/engines/nuodb';
import { atomLedger, type Journal } from '../../ledger/nuodb';
import {
  applyNuoDbPolicy,
  DATABASE,
  startStorageManagers,
  stateOfCopy,
  type TestStorageManagers,
} from '../harness/nuodb';
import { HOOKS_PORT, type RealFreeze } from '../harness/nuodb-modes';
import { addressOf } from '../harness/pods';
import type { EngineAdapter, TestClient, TestServer } from './adapter';

const common = { exact: false, secondFreeze: 'freeze-left' } as const;

/** What of the modes stands in the manifest of the pod: the runner reads it there. */
const MODES: readonly RealFreeze[] = ['fsfreeze', 'suspend'];

export const nuodb: EngineAdapter = {
  title: 'NuoDB (a stand-in)',
  name: 'nuodb',
  image: 'nuodb-standin:1',
  engine,
  // Its servers are found by labels, with their claims, and nobody logs in.
  without: ['login', 'rights', 'host', 'session'],
  modes: [
    { ...common, name: 'hotsnap', setup: 'two', layout: 'held', freezes: 'log-recycling' },
    { ...common, name: 'fsfreeze', setup: 'fsfreeze', layout: 'held', freezes: 'log-recycling' },
    { ...common, name: 'suspend', setup: 'suspend', layout: 'held', freezes: 'everything', undoneOtherwise: true },
    { ...common, name: 'hotsnap-one', setup: 'one', layout: 'atomic', freezes: 'nothing' },
  ],
  start: async ({ namespace, name, setup }) => {
    const separateJournal = setup !== 'one';
    const freezeMode = MODES.find((mode) => mode === setup);
    const options = { namespace, release: name, separateJournal, ...(freezeMode && { freezeMode }) };
    return serverOf(name, await startStorageManagers(options), separateJournal, freezeMode);
  },
};

function serverOf(
  name: string,
  managers: TestStorageManagers,
  separateJournal: boolean,
  freezeMode: RealFreeze | undefined,
): TestServer {
  const { namespace } = managers;
  const pod = managers.pod(0);
  const archive = `archive-volume-${pod}`;
  const journal = `journal-volume-${pod}`;
  /** The atoms that rows of the ledger stand for. */
  const atoms = new Map<number, number>();
  return {
    name,
    namespace,
    pod,
    claims: { archive, ...(separateJournal ? { journal } : {}) },
    secrets: [],
    connect: async () => clientOf(atoms, () => managers.state()),
    policy: (_mode, { name: database, className, budget, directCut }) =>
      applyNuoDbPolicy(namespace, {
        database,
        // Others may be in the namespace.
        storageGroupReleases: [name],
        ...(className === undefined ? {} : { className }),
        ...(budget === undefined ? {} : { budget }),
        ...(directCut === undefined ? {} : { directCut }),
      }),
    target: async () => ({
      connection: { host: await addressOf(pod, namespace), port: HOOKS_PORT, usernameFile: '' },
      username: '',
      password: '',
      tls: undefined,
      labels: { database: DATABASE, domain: 'nuodb', release: name },
      environment: freezeMode === undefined ? {} : { FREEZE_MODE: freezeMode },
    }),
    request: () => ({
      id: '20260101000000',
      volumes: [
        { name: 'archive', role: 'data', claim: archive, namespace, mountPath: '/var/opt/nuodb/archive' },
        ...(separateJournal
          ? [
              {
                name: 'journal',
                role: 'log' as const,
                claim: journal,
                namespace,
                mountPath: '/var/opt/nuodb/journal',
              },
            ]
          : []),
      ],
      layout: 'auto',
      groupClass: false,
      atomicStore: true,
      options: {},
    }),
    startCopy: async (copy, claims) => {
      const mounted = { archive: claims.archive ?? '', ...(separateJournal ? { journal: claims.journal ?? '' } : {}) };
      const state = await stateOfCopy(copy, namespace, mounted);
      return clientOf(atoms, async () => state);
    },
    held: async () => {
      const { frozen, backup } = await managers.state();
      return [...(frozen ? ['the archive is held'] : []), ...(backup === '' ? [] : [`backup.txt is of ${backup}`])];
    },
    withoutRight: async () => {
      throw new Error('the backup hooks know no rights');
    },
  };
}

function clientOf(atoms: Map<number, number>, state: () => Promise<Journal>): TestClient {
  // The hooks tell no position but the backup's own id.
  return { ...atomLedger(atoms, state), position: async () => ({}) };
}
