/** Undoes a hook, from another process than the one that ran it. */
import type { Held, Hook } from '../../src/contract';
import type { EngineGuard, GuardSession } from '../engine';
import { StillpointError } from '../errors';
import { actionsAgain, type HookContext } from './hook-actions';

/** The guard of the hooks of a policy. What a hook does the policy says: a record could be made to say anything. */
export function hookGuard(hooks: readonly Hook[], context: HookContext): EngineGuard {
  return {
    open: async (_target, held, _log, signal) => {
      const hook = hookOf(hooks, held);
      // Found once before anything is held: a guard that cannot find it is of no use.
      await actionsAgain(hook, usedPod(held), context, signal);
      return sessionOf(hook, held, context);
    },
  };
}

function sessionOf(hook: Hook, held: Held, context: HookContext): GuardSession {
  return {
    // What a command has done in a pod cannot be seen from outside.
    holds: async () => undefined,
    // Where its pod is gone, in the one that is there now: that has to bear that nothing was done in it.
    undo: async (signal) => {
      const found = await actionsAgain(hook, usedPod(held), context, signal);
      const done = await found.thaw(signal);
      return done.map((each) => `hook ${hook.name} at ${found.where}: ${each}`);
    },
    lost: new AbortController().signal,
    close: async () => undefined,
  };
}

function hookOf(hooks: readonly Hook[], { undo, member }: Held): Hook {
  const found = hooks.find(({ name }) => name === undo.hook);
  if (found !== undefined) return found;
  throw new StillpointError('config-invalid', `the policy has no hook ${undo.hook} any more, and ${member} may hold`, {
    hint: 'put the hook back into the policy until what it holds is undone',
  });
}

/** The pod that it was used in, by its name and UID: what has none is reached by an address. */
function usedPod({ host, undo: { podUid } }: Held): { readonly name: string; readonly uid: string } | undefined {
  return podUid === undefined ? undefined : { name: host, uid: podUid };
}
