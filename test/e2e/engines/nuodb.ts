/**
 * NuoDB: the stand-in for a storage manager with its backup hooks (harness/nuodb.ts) as the contract suite sees it. It takes no
 * rows: it writes atoms of its own, four a second. A row of the ledger is one of these, which did not exist when the row was begun.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { engine } from '../../../runner/engines/nuodb';
import {
  applyNuoDbPolicy,
  DATABASE,
  HOOKS_PORT,
  type State,
  startStorageManagers,
  stateOfCopy,
  type TestStorageManagers,
} from '../harness/nuodb';
import { addressOf } from '../harness/pods';
import type { EngineAdapter, TestClient, TestServer } from './adapter';

const common = { freezes: 'log-recycling', exact: false, secondFreeze: 'freeze-left' } as const;

export const nuodb: EngineAdapter = {
  title: 'NuoDB (a stand-in)',
  name: 'nuodb',
  image: 'nuodb-standin:1',
  engine,
  // Its servers are found by labels, with their claims, and nobody logs in.
  without: ['login', 'rights', 'host', 'session'],
  modes: [
    { ...common, name: 'hotsnap', setup: 'two', layout: 'held' },
    { ...common, name: 'hotsnap-one', setup: 'one', layout: 'atomic' },
  ],
  start: async ({ namespace, name, setup }) => {
    const separateJournal = setup === 'two';
    return serverOf(name, await startStorageManagers({ namespace, release: name, separateJournal }), separateJournal);
  },
};

/** How often the stand-in is asked for its newest atom. */
const LOOK_MS = 20;

function serverOf(name: string, managers: TestStorageManagers, separateJournal: boolean): TestServer {
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

/** Its ledger: what is in the journal is committed. */
function clientOf(atoms: Map<number, number>, state: () => Promise<State>): TestClient {
  return {
    prepare: async () => undefined,
    forget: async () => atoms.clear(),
    add: async (number) => {
      // Of an atom that is seen after the row was begun and was not there then, it was begun before.
      const { journal: before } = await state();
      for (;;) {
        const { journal } = await state();
        if (journal > before) break;
        await pause(LOOK_MS);
      }
      atoms.set(number, before + 1);
    },
    numbers: async () => {
      const { journal } = await state();
      return [...atoms].flatMap(([number, atom]) => (atom <= journal ? [number] : [])).sort((a, b) => a - b);
    },
    position: async () => ({}),
    end: async () => undefined,
  };
}
