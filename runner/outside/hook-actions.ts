/** What one hook does, by its kind: commands in a pod, fsfreeze in a pod, requests to a program. */
import { freezeCommand, HOOK_TIMEOUT_SECONDS, type Hook, placeOfHook, unfreezeCommand } from '../../src/contract';
import { orAborted, timeLimit } from '../abort';
import { asStillpointError, StillpointError } from '../errors';
import type { Clock, CommandEnd, HookPod, Outside } from '../ports';
import { type HttpCall, sendCall } from './http-call';
import { Underway } from './underway';

/** What a hook needs of the world. */
export interface HookContext {
  readonly outside: Outside;
  readonly clock: Clock;
}

/** One hook, ready to be used. */
export interface HookActions {
  readonly hook: Hook;
  /** Where it is, for messages: `pod backend-0`, `http://backend:8080`. */
  readonly where: string;
  /** The pod that its commands run in; undefined of one that has none. */
  readonly pod: HookPod | undefined;
  freeze(signal: AbortSignal): Promise<void>;
  /** Undoes it, and bears being called again. Answers in words what was done; nothing where nothing was to do. */
  thaw(signal: AbortSignal): Promise<readonly string[]>;
  /** What was begun and not waited for to its end: it may hold when it ends. Undefined where nothing of that kind is done. */
  readonly underway?: Underway;
  /** Throws proof-failed unless it shows that it holds. Undefined where nothing can show it. */
  readonly check: ((signal: AbortSignal) => Promise<void>) | undefined;
}

type Doing = Pick<HookActions, 'freeze' | 'thaw' | 'check' | 'underway'>;

/** What linux/fs/super.c answers to the freeze of what is frozen (in the words of glibc and of musl), and to the thaw of what is not. */
const FROZEN = /(Device or r|R)esource busy/;
const NOT_FROZEN = /Invalid argument/;

/** How long one command or request of a hook may take. */
export function timeoutOf({ timeoutSeconds = HOOK_TIMEOUT_SECONDS }: Hook): number {
  return timeoutSeconds * 1000;
}

/** Finds the pod of a hook, where it has one. Throws hook-unsuitable. */
export async function actionsOf(hook: Hook, context: HookContext, signal: AbortSignal): Promise<HookActions> {
  const place = placeOfHook(hook);
  const pod = place === undefined ? undefined : await context.outside.pods.find(place, signal);
  return hookIn(hook, pod, context);
}

/**
 * The hook in the pod that it was used in, as long as that runs: one that is held may not be ready, and another one with its
 * labels may be. Else in the pod that is there by now.
 */
export async function actionsAgain(
  hook: Hook,
  used: Pick<HookPod, 'name' | 'uid'> | undefined,
  context: HookContext,
  signal: AbortSignal,
): Promise<HookActions> {
  const place = placeOfHook(hook);
  if (place !== undefined && used !== undefined) {
    const named = { pod: used.name, ...(place.container === undefined ? {} : { container: place.container }) };
    const pod = await context.outside.pods.find(named, signal).catch((thrown: unknown) => {
      if (asStillpointError(thrown).code !== 'hook-unsuitable') throw thrown;
      return undefined;
    });
    if (pod?.uid === used.uid) return hookIn(hook, pod, context);
  }
  return await actionsOf(hook, context, signal);
}

function hookIn(hook: Hook, pod: HookPod | undefined, context: HookContext): HookActions {
  if (pod === undefined) return { hook, pod, where: originOf(hook), ...requests(hook, context) };
  const run: Run = (what, command, signal, underway) =>
    within(hook, what, context, signal, (limit) =>
      underway === undefined
        ? context.outside.pods.run(pod, command, limit)
        : underway.begin((life) => context.outside.pods.run(pod, command, life)),
    );
  const doing = hook.fileSystem === undefined ? commands(hook, run) : fileSystem(hook, hook.fileSystem.path, run);
  return { hook, pod, where: `pod ${pod.name}`, ...doing };
}

/** With `underway` a command goes on when it is not waited for any longer, and is not lost sight of. */
type Run = (what: string, command: readonly string[], signal: AbortSignal, underway?: Underway) => Promise<CommandEnd>;

function commands(hook: Hook, run: Run): Doing {
  const { preFreeze = [], postThaw = [], check } = hook.commands ?? {};
  const underway = new Underway();
  return {
    underway,
    freeze: async (signal) => refuse(hook, 'preFreeze', await run('preFreeze', preFreeze, signal, underway)),
    thaw: async (signal) => {
      refuse(hook, 'postThaw', await run('postThaw', postThaw, signal));
      return ['its postThaw was run'];
    },
    check:
      check === undefined
        ? undefined
        : async (signal) => {
            const { exitCode, said } = await run('check', check, signal);
            if (exitCode !== 0) throw notHeld(hook, `its check ended with ${exitCode}${colon(said)}`);
          },
  };
}

/** A file system that is frozen refuses to be frozen again: that is what shows it. */
function fileSystem(hook: Hook, path: string, run: Run): Doing {
  // The check is a freeze, too.
  const underway = new Underway();
  return {
    underway,
    freeze: async (signal) => refuse(hook, 'fsfreeze', await run('fsfreeze', freezeCommand(path), signal, underway)),
    thaw: async (signal) => {
      const end = await run('fsfreeze --unfreeze', unfreezeCommand(path), signal);
      if (end.exitCode !== 0 && NOT_FROZEN.test(end.said)) return [];
      refuse(hook, 'fsfreeze --unfreeze', end);
      return [`${path} was unfrozen`];
    },
    check: async (signal) => {
      const { exitCode, said } = await run('fsfreeze', freezeCommand(path), signal, underway);
      if (exitCode === 0) throw notHeld(hook, `${path} let itself be frozen anew: somebody had unfrozen it`);
      if (!FROZEN.test(said)) throw notHeld(hook, `whether ${path} is frozen is not known${colon(said)}`);
    },
  };
}

function requests(hook: Hook, context: HookContext): Doing {
  const { preFreeze, postThaw, check, bearerTokenFile, caFile } = hook.http ?? noKind(hook);
  const underway = new Underway();
  type Asked = Pick<HttpCall, 'method' | 'url'>;
  const send = async (what: string, call: Asked, signal: AbortSignal, kept?: Underway): Promise<number> => {
    const request = (limit: AbortSignal): Promise<number> => sendCall({ ...call, bearerTokenFile, caFile }, limit);
    return await within(hook, what, context, signal, (limit) => kept?.begin(request) ?? request(limit));
  };
  const sendWell = async (what: string, call: Asked, signal: AbortSignal, kept?: Underway): Promise<void> => {
    const status = await send(what, call, signal, kept);
    if (!isWell(status)) throw failed(hook, what, `was answered with ${status}`);
  };
  return {
    underway,
    freeze: (signal) => sendWell('preFreeze', preFreeze, signal, underway),
    thaw: async (signal) => {
      await sendWell('postThaw', postThaw, signal);
      return ['its postThaw was sent'];
    },
    check:
      check === undefined
        ? undefined
        : async (signal) => {
            const status = await send('check', check, signal);
            if (!isWell(status)) throw notHeld(hook, `its check was answered with ${status}`);
          },
  };
}

/** Its own time limit on top of what the caller has. */
async function within<T>(
  hook: Hook,
  what: string,
  { clock }: HookContext,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const ms = timeoutOf(hook);
  using limit = timeLimit(clock, ms, () => failed(hook, what, `did not end within ${ms / 1000} s`));
  const either = AbortSignal.any([signal, limit.signal]);
  either.throwIfAborted();
  return await orAborted(work(either), either);
}

function refuse(hook: Hook, what: string, { exitCode, said }: CommandEnd): void {
  if (exitCode !== 0) throw failed(hook, what, `ended with ${exitCode}${colon(said)}`);
}

function failed(hook: Hook, what: string, how: string): StillpointError {
  return new StillpointError('hook-failed', `${what} of hook ${hook.name} ${how}`, {
    hint: 'run it by hand where the policy has it run; a hook has to end, and to say by its exit code or its answer whether it did what it should',
  });
}

function notHeld(hook: Hook, why: string): StillpointError {
  return new StillpointError('proof-failed', `hook ${hook.name} does not hold any more: ${why}`, {
    hint: 'somebody or something has let go of it meanwhile: what was cut after that is no backup',
  });
}

function noKind(hook: Hook): never {
  throw new StillpointError('config-invalid', `hook ${hook.name} has neither commands nor a file system nor requests`);
}

const isWell = (status: number): boolean => status >= 200 && status < 300;
const colon = (said: string): string => (said === '' ? '' : `: ${said}`);

/** Paths and queries may say more than a log should. */
function originOf({ http }: Hook): string {
  return http === undefined ? 'nowhere' : new URL(http.preFreeze.url).origin;
}
