/** What is done to a database from outside its session: hooks around a freeze, and a workload that is stopped for it. */
import { DNS_LABEL_PATTERN, DNS_SUBDOMAIN_PATTERN } from './names';
import { array, type Infer, integer, map, object, oneOf, optional, string } from './schema';

/** How long one command or request of a hook may take where nothing is said, in seconds. */
export const HOOK_TIMEOUT_SECONDS = 10;

/** The longest that it may be given: the thaw waits for it. */
export const HOOK_TIMEOUT_MAX_SECONDS = 120;

const name = string({ pattern: DNS_SUBDOMAIN_PATTERN, maxLength: 253 });
const label = string({ pattern: DNS_LABEL_PATTERN, maxLength: 63 });
const command = array(string({ minLength: 0 }), { minItems: 1 });

/** Where a hook's commands run. */
const PLACE = {
  pod: optional(name),
  matchLabels: optional(map(string({ maxLength: 63 }), 'One ready pod has to have them.')),
  container: optional(label),
} as const;

const call = object({
  method: oneOf(['GET', 'POST', 'PUT', 'DELETE']),
  url: string({ description: 'Of http or https. An answer of 2xx is success.' }),
});

/** One hook: of `commands`, `fileSystem` and `http` exactly one. */
export const HOOK = object(
  {
    name: label,
    commands: optional(
      object(
        { ...PLACE, preFreeze: command, postThaw: command, check: optional(command) },
        { description: 'Commands in a pod. None of them is run by a shell. postThaw has to bear being run twice.' },
      ),
    ),
    fileSystem: optional(
      object(
        { ...PLACE, path: string({ description: 'Where the pod has a claim of the policy mounted.' }) },
        { description: 'fsfreeze in a pod that may do it (CAP_SYS_ADMIN).' },
      ),
    ),
    http: optional(
      object(
        {
          preFreeze: call,
          postThaw: call,
          check: optional(call),
          bearerTokenFile: optional(string()),
          caFile: optional(
            string({ description: 'The certificate of the authority that the server has its own from.' }),
          ),
        },
        { description: 'Requests to a program that holds itself. postThaw has to bear being sent twice.' },
      ),
    ),
    timeoutSeconds: optional(integer({ minimum: 1, maximum: HOOK_TIMEOUT_MAX_SECONDS })),
  },
  { description: 'What is done from outside before the freeze and after the thaw, and what shows that it holds.' },
);

/** The kinds of workloads that are stopped and started by their replicas. */
export const STOPPED_KINDS = ['StatefulSet', 'Deployment'] as const;

/** What runs on the volumes, and is stopped while they are cut. */
export const STOPPED = object(
  { kind: oneOf(STOPPED_KINDS), name },
  { description: 'What runs on the volumes: it is scaled to zero while they are cut, and back as soon as they are.' },
);

export type StoppedWorkload = Infer<typeof STOPPED>;
export type Hook = Infer<typeof HOOK>;

/** Where a hook's commands run; undefined of one that runs none. */
export type HookPlace = Pick<NonNullable<Hook['commands']>, keyof typeof PLACE>;

export function placeOfHook({ commands, fileSystem }: Hook): HookPlace | undefined {
  return commands ?? fileSystem;
}

/** Every command that a hook may have run: what its account is kept to. */
export function commandsOfHook({ commands, fileSystem }: Hook): readonly (readonly string[])[] {
  if (fileSystem !== undefined) {
    const { path } = fileSystem;
    return [freezeCommand(path), unfreezeCommand(path)];
  }
  if (commands === undefined) return [];
  const { preFreeze, postThaw, check } = commands;
  return [preFreeze, postThaw, ...(check === undefined ? [] : [check])];
}

export const freezeCommand = (path: string): readonly string[] => ['fsfreeze', '--freeze', path];
export const unfreezeCommand = (path: string): readonly string[] => ['fsfreeze', '--unfreeze', path];

/** Whether a hook can show that it holds. A frozen file system does: it does not let itself be frozen again. */
export function canCheck({ commands, http, fileSystem }: Hook): boolean {
  return fileSystem !== undefined || (commands?.check ?? http?.check) !== undefined;
}

/** What is wrong with a hook that its schema cannot say. */
export function hookProblem(hook: Hook): string | undefined {
  const kinds = [hook.commands, hook.fileSystem, hook.http].filter((each) => each !== undefined).length;
  if (kinds !== 1) return `hook ${hook.name} has ${kinds} of commands, fileSystem and http, and takes one`;
  const place = placeOfHook(hook);
  if (place === undefined || (place.pod === undefined) !== (place.matchLabels === undefined)) return undefined;
  return `hook ${hook.name} has to name its pod, or the labels of it, and not both`;
}
