/** What speaks against the hooks of a policy, before anything is touched. Pure. */
import { canCheck } from '../../src/contract';
import type { Finding, Mount, Volume } from '../ports';
import type { HookActions } from './hook-actions';

export function hookFindings(hooks: readonly HookActions[], volumes: readonly Volume[]): readonly Finding[] {
  return hooks.flatMap((actions) => [...pathFindings(actions, volumes), ...checkFindings(actions)]);
}

/** What fsfreeze freezes is the whole file system that a path lies on: of a path of the container's own, the node's. */
function pathFindings({ hook, pod, where }: HookActions, volumes: readonly Volume[]): readonly Finding[] {
  const { path } = hook.fileSystem ?? {};
  if (path === undefined || pod === undefined) return [];
  const mount = pod.mounts.find((each) => trimmed(each.path) === trimmed(path));
  if (mount?.claim !== undefined && volumes.some(({ claim }) => claim === mount.claim)) return [];
  const what = mount?.claim === undefined ? 'no claim' : `claim ${mount.claim}, which is not in the policy,`;
  return [
    {
      severity: 'error',
      code: 'hook-unsuitable',
      subject: `hook ${hook.name}`,
      message: `container ${pod.container} of ${where} has ${what} mounted at ${path}, and its whole file system would be frozen`,
      hint: `name the path at which it has a claim of the policy mounted: ${mountsText(pod.mounts)}`,
    },
  ];
}

function checkFindings({ hook }: HookActions): readonly Finding[] {
  if (canCheck(hook)) return [];
  return [
    {
      severity: 'warning',
      code: 'hook-unsuitable',
      subject: `hook ${hook.name}`,
      message: `hook ${hook.name} has no check: its backups are crash-consistent, and say that the hook is not proven`,
      hint: 'give it a command or a request that succeeds as long as it holds',
    },
  ];
}

function mountsText(mounts: readonly Mount[]): string {
  const claims = mounts.flatMap(({ path, claim }) => (claim === undefined ? [] : [`${path} (${claim})`]));
  return claims.length === 0 ? 'it has none' : claims.join(', ');
}

const trimmed = (path: string): string => (path === '/' ? path : path.replace(/\/+$/, ''));
