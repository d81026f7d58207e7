/** The rights to do something to a database from outside its session: hooks, and workloads that are stopped. */
import { type AccessNeed, inNamespace } from './access-needs';
import type { HookPlace, StoppedWorkload } from './hooks';

/** What of a policy decides on them. */
export interface OutsideRequest {
  /** Where hooks run commands. */
  readonly commandsIn?: readonly HookPlace[] | undefined;
  /** What is stopped while its volumes are cut. */
  readonly stopped?: readonly StoppedWorkload[] | undefined;
}

/** What is done to a database from outside its session. */
export function outsideAccess({ commandsIn = [], stopped = [] }: OutsideRequest): AccessNeed[] {
  return [...commandAccess(commandsIn), ...stopAccess(stopped)];
}

function commandAccess(places: readonly HookPlace[]): AccessNeed[] {
  if (places.length === 0) return [];
  const names = places.flatMap(({ pod }) => pod ?? []);
  return [
    {
      scope: 'database',
      apiGroup: '',
      resource: 'pods/exec',
      // The API server counts a WebSocket as a get, and from Kubernetes 1.35 on asks for create too.
      verbs: ['create', 'get'],
      ...(names.length === places.length ? { names: [...new Set(names)] } : {}),
      // RBAC cannot tell one command from another: src/command-guard.ts does.
      why: 'run the commands of its hooks, and no others: the admission policy that comes with it keeps it to these',
    },
  ];
}

function stopAccess(stopped: readonly StoppedWorkload[]): AccessNeed[] {
  if (stopped.length === 0) return [];
  const scaled = (kind: StoppedWorkload['kind'], resource: string): AccessNeed[] => {
    const names = stopped.filter((each) => each.kind === kind).map(({ name }) => name);
    if (names.length === 0) return [];
    return [
      { ...inNamespace('apps', `${resource}/scale`, ['patch'], 'stop it for its cuts, and start it again'), names },
    ];
  };
  return [
    ...scaled('StatefulSet', 'statefulsets'),
    ...scaled('Deployment', 'deployments'),
    inNamespace(
      '',
      'pods',
      ['watch'],
      'see that nobody holds the claims from before the first cut until after the last',
    ),
    {
      ...inNamespace(
        'autoscaling',
        'horizontalpodautoscalers',
        ['list'],
        'see whether an autoscaler starts what is stopped',
      ),
      optional: true,
    },
    {
      ...inNamespace('keda.sh', 'scaledobjects', ['list'], 'see whether KEDA starts what is stopped'),
      optional: true,
    },
  ];
}
