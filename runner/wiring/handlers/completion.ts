/** What the cluster knows of the word that is being typed. A shell that waits is a shell that hangs: it gets little time. */
import { backupIdTime, DEFAULT_REGISTRY_NAMESPACE } from '../../../src/contract';
import { orAborted, timeLimit } from '../../abort';
import type { Candidate, CompletionHandlers, Kind, Known } from '../../cli/completion';
import type { GlobalOptions } from '../../cli/options';
import { StillpointError } from '../../errors';
import { newestFirst } from '../../listing';
import { age } from '../../output/duration';
import type { RecordSummary } from '../../ports';
import type { World } from '../world';
import { type Records, recordsOf } from './context';

const LIMIT_MS = 1500;

/** More than fit on a screen help nobody. */
const BACKUPS_SHOWN = 50;

export function completionHandlers(world: World): CompletionHandlers {
  return {
    async candidates(known) {
      using limit = timeLimit(world.clock, LIMIT_MS, () => new StillpointError('wait-timeout', 'no answer at once'));
      const options = globalsOf(known.options, world);
      return await orAborted(SOURCES[known.kind](options, known.current, world), limit.signal).catch(() => []);
    },
  };
}

/** What is given on the line, and in the environment. */
function globalsOf(given: Known['options'], { env }: World): GlobalOptions {
  const text = (name: string): { [name: string]: string } => {
    const value = given[name];
    return typeof value === 'string' ? { [name]: value } : {};
  };
  return {
    registry: env.STILLPOINT_REGISTRY || DEFAULT_REGISTRY_NAMESPACE,
    allNamespaces: given.allNamespaces === true,
    ...text('registry'),
    ...text('registryDirectory'),
    ...text('namespace'),
    ...text('context'),
    ...text('kubeconfig'),
  };
}

type Source = (options: GlobalOptions, current: string, world: World) => Promise<readonly Candidate[]>;

const SOURCES: Readonly<Record<Kind, Source>> = {
  backup: async (options, current, world) => backupNames(await summariesFor(options, current, world), world),
  database: async (options, _, world) => {
    const { registry, where, schedules } = await recordsOf(options, world);
    const planned = (await schedules?.list(where)) ?? [];
    const recorded = await gather(registry, where);
    return unique([...planned, ...recorded].map(({ database }) => database));
  },
  policy: async (options, _, world) => {
    const { schedules, where } = await recordsOf(options, world);
    const planned = (await schedules?.list(where)) ?? [];
    return planned.map(({ policy, database, expression }) => ({ value: policy, about: `${database}, ${expression}` }));
  },
  name: async (options, current, world) => {
    const found = await summariesFor(options, current, world);
    const databases = unique(found.summaries.map((summary) => pathIn(summary, found.qualified)));
    return [...databases, ...backupNames(found, world)];
  },
  namespace: async (options, _, world) => {
    const { connect } = await import('../kubernetes');
    const { NAMESPACES } = await import('../../kube/objects');
    const client = await connect(options, world);
    return (await client.list(NAMESPACES)).items.map(({ metadata }) => ({ value: metadata.name }));
  },
  context: async ({ kubeconfig }, _, { env }) => {
    const { contextNames } = await import('../../kube/access');
    return (await contextNames({ env, kubeconfig })).map((value) => ({ value }));
  },
};

interface Found {
  readonly summaries: readonly RecordSummary[];
  /** Whether their names begin with the namespace. */
  readonly qualified: boolean;
}

/** What begins with the name of a namespace is looked for there. */
async function summariesFor(options: GlobalOptions, current: string, world: World): Promise<Found> {
  const { registry, where } = await recordsOf(options, world);
  const here = await gather(registry, where);
  const [first = '', ...rest] = current.split('/');
  if (where.namespace === undefined) return { summaries: here, qualified: true };
  if (rest.length === 0 || here.some(({ database }) => database === first))
    return { summaries: here, qualified: false };
  return { summaries: await gather(registry, { namespace: first }), qualified: true };
}

function backupNames({ summaries, qualified }: Found, { clock }: World): readonly Candidate[] {
  const newest = [...summaries].sort(newestFirst).slice(0, BACKUPS_SHOWN);
  const one = newest.map((summary) => ({
    value: `${pathIn(summary, qualified)}/${summary.id}`,
    about: `${summary.phase}, ${age(backupIdTime(summary.id), clock.now())}`,
  }));
  const latest = unique(newest.map((summary) => `${pathIn(summary, qualified)}/latest`));
  return [...(latest.length === 1 ? [{ value: 'latest' }] : []), ...latest, ...one];
}

function pathIn({ namespace, database }: RecordSummary, qualified: boolean): string {
  return qualified ? `${namespace}/${database}` : database;
}

async function gather(registry: Records['registry'], where: Records['where']): Promise<readonly RecordSummary[]> {
  const found: RecordSummary[] = [];
  for await (const page of registry.summaries(where)) found.push(...page);
  return found;
}

function unique(values: readonly string[]): readonly Candidate[] {
  return [...new Set(values)].sort().map((value) => ({ value }));
}
