import type { Duration } from 'cdk8s';
import type { ISecret } from 'cdk8s-plus-28';
import type { Construct } from 'constructs';
import { checkLabel } from './checks';
import {
  HOOK_TIMEOUT_MAX_SECONDS,
  type Hook,
  type HookPlace,
  hookProblem,
  MOUNTS,
  type StoppedWorkload,
} from './contract';
import { invalid } from './invalid';
import type { MountedVolume } from './runner-pod';
import { SECRET_FILE_MODE } from './runner-pod';

/** The pod that the commands of a hook run in. */
export class HookPod {
  /** The pod of this name. The account may run its commands there, and nowhere else. */
  public static named(name: string): HookPod {
    return new HookPod({ pod: name });
  }

  /**
   * A pod of a StatefulSet. The account may run its commands there, and nowhere else.
   *
   * @param ordinal the number of the pod; 0 when left out
   */
  public static ofStatefulSet(statefulSet: string, ordinal = 0): HookPod {
    return new HookPod({ pod: `${statefulSet}-${ordinal}` });
  }

  /**
   * The one ready pod that has these labels when a backup begins: of a Deployment. Which pod that will be is not known, so
   * the account may run its commands in every pod of the namespace; they are the same few commands.
   */
  public static withLabels(labels: { [key: string]: string }): HookPod {
    return new HookPod({ matchLabels: labels });
  }

  private constructor(private readonly place: HookPlace) {}

  /** @internal */
  public _toConfig(container: string | undefined): HookPlace {
    return { ...this.place, ...(container === undefined ? {} : { container }) };
  }
}

/** What every hook has. */
export interface FreezeHookProps {
  /**
   * How long each command or request of the hook may take. It counts for the budget.
   *
   * @default Duration.seconds(10)
   */
  readonly timeout?: Duration;
}

/** What every hook in a pod has. */
export interface PodHookProps extends FreezeHookProps {
  /** The pod. */
  readonly pod: HookPod;

  /**
   * The container in it.
   *
   * @default - the first
   */
  readonly container?: string;
}

/** Commands in a pod. Each is a program with its arguments; no shell reads them. */
export interface CommandHookProps extends PodHookProps {
  /** What makes it stand still. It has to end, with 0 when it does. */
  readonly preFreeze: string[];

  /**
   * What lets it go on. It has to bear being run twice, and where nothing was held: the guard and later runs use it too.
   */
  readonly postThaw: string[];

  /**
   * What ends with 0 as long as it stands still; asked before the first cut and after the last. Without it nothing shows
   * that the hook held: the backup is crash-consistent, and its record says so.
   *
   * @default - none: not proven
   */
  readonly check?: string[];
}

/** A file system that is frozen (fsfreeze) in a pod that may do it: with the capability SYS_ADMIN. */
export interface FileSystemHookProps extends PodHookProps {
  /** The path at which the pod has a claim of the policy mounted. */
  readonly mountPath: string;
}

/** Requests to a program that holds itself. An answer of 2xx is success. */
export interface HttpHookProps extends FreezeHookProps {
  /** The URL that makes it stand still, by POST. */
  readonly preFreezeUrl: string;

  /** The URL that lets it go on, by POST. It has to bear being asked twice, and where nothing was held. */
  readonly postThawUrl: string;

  /**
   * The URL that answers with 2xx as long as it stands still, by GET. Without it nothing shows that the hook held: the backup
   * is crash-consistent, and its record says so.
   *
   * @default - none: not proven
   */
  readonly checkUrl?: string;

  /**
   * The Secret with a token, which is sent as `Authorization: Bearer`.
   *
   * @default - none
   */
  readonly token?: ISecret;

  /**
   * The key of the token in the Secret.
   *
   * @default 'token'
   */
  readonly tokenKey?: string;

  /**
   * The Secret with the certificate of the authority that the program's certificate comes from.
   *
   * @default - none: those that Node.js trusts
   */
  readonly certificateAuthority?: ISecret;

  /**
   * The key of that certificate in the Secret.
   *
   * @default 'ca.crt'
   */
  readonly certificateAuthorityKey?: string;
}

/**
 * Something that is made to stand still around a freeze, from outside the database: an application that stops writing, a
 * file system that is frozen. It takes hold before the freeze of the engine and is undone after its thaw, within the
 * budget; when the runner is gone the guard undoes it, or the next run.
 *
 * @example
 * FreezeHook.commands('maintenance', {
 *   pod: HookPod.withLabels({ app: 'backend' }),
 *   preFreeze: ['/app/maintenance', 'on'],
 *   check: ['/app/maintenance', 'is-on'],
 *   postThaw: ['/app/maintenance', 'off'],
 * });
 */
export class FreezeHook {
  /** Commands in a pod. */
  public static commands(name: string, props: CommandHookProps): FreezeHook {
    const { pod, container, preFreeze, postThaw, check } = props;
    const commands = { ...pod._toConfig(container), preFreeze, postThaw, ...(check === undefined ? {} : { check }) };
    return new FreezeHook({ name, commands, ...timeoutOf(props) }, {});
  }

  /** A file system that is frozen. It shows by itself that it still is. */
  public static fileSystem(name: string, props: FileSystemHookProps): FreezeHook {
    const { pod, container, mountPath } = props;
    return new FreezeHook(
      { name, fileSystem: { ...pod._toConfig(container), path: mountPath }, ...timeoutOf(props) },
      {},
    );
  }

  /** Requests to a program. */
  public static http(name: string, props: HttpHookProps): FreezeHook {
    const { preFreezeUrl, postThawUrl, checkUrl, token, certificateAuthority } = props;
    const http = {
      preFreeze: { method: 'POST', url: preFreezeUrl },
      postThaw: { method: 'POST', url: postThawUrl },
      ...(checkUrl === undefined ? {} : { check: { method: 'GET' as const, url: checkUrl } }),
      ...(token === undefined ? {} : { bearerTokenFile: `${folderOf(name)}/token/${props.tokenKey ?? 'token'}` }),
      ...(certificateAuthority === undefined
        ? {}
        : { caFile: `${folderOf(name)}/ca/${props.certificateAuthorityKey ?? 'ca.crt'}` }),
    } as const;
    return new FreezeHook({ name, http, ...timeoutOf(props) }, { token, ca: certificateAuthority });
  }

  private constructor(
    private readonly hook: Hook,
    private readonly secrets: { readonly [part: string]: ISecret | undefined },
  ) {}

  /** @internal */
  public _config(construct: Construct): Hook {
    const { hook } = this;
    checkLabel(construct, `hook ${hook.name}`, hook.name);
    const problem = hookProblem(hook) ?? urlProblem(hook) ?? timeoutProblem(hook);
    if (problem !== undefined) throw invalid(construct, problem, 'see FreezeHook in docs/hooks.md');
    return hook;
  }

  /** @internal */
  public _secrets(): readonly MountedVolume[] {
    return Object.entries(this.secrets).flatMap(([part, secret]) =>
      secret === undefined
        ? []
        : [
            {
              volume: {
                name: `hook-${this.hook.name}-${part}`,
                secret: { secretName: secret.name, defaultMode: SECRET_FILE_MODE },
              },
              path: `${folderOf(this.hook.name)}/${part}`,
            },
          ],
    );
  }
}

/**
 * The hooks as the job config has them; nothing where there are none.
 *
 * @internal
 */
export function hooksOf(
  construct: Construct,
  hooks: readonly FreezeHook[] = [],
  offline?: StoppedWorkload,
): { readonly hooks?: readonly Hook[] } {
  if (hooks.length > 0 && offline !== undefined) {
    throw invalid(
      construct,
      `stops ${offline.kind} ${offline.name} for its cuts, and has hooks as well`,
      'leave the hooks out: what is stopped writes nothing; give them to another member of a group',
    );
  }
  const configs = hooks.map((hook) => hook._config(construct));
  const twice = configs.find(({ name }, index) => configs.findIndex((other) => other.name === name) !== index);
  if (twice !== undefined) {
    throw invalid(construct, `has two hooks named "${twice.name}"`, 'give each a name of its own');
  }
  return configs.length === 0 ? {} : { hooks: configs };
}

const folderOf = (name: string): string => `${MOUNTS.hooks}/${name}`;

function timeoutOf({ timeout }: FreezeHookProps): { readonly timeoutSeconds?: number } {
  return timeout === undefined ? {} : { timeoutSeconds: timeout.toSeconds() };
}

function timeoutProblem({ name, timeoutSeconds = 1 }: Hook): string | undefined {
  return timeoutSeconds >= 1 && timeoutSeconds <= HOOK_TIMEOUT_MAX_SECONDS
    ? undefined
    : `hook ${name} has a timeout of ${timeoutSeconds} s, and it may be ${HOOK_TIMEOUT_MAX_SECONDS} s`;
}

/** A password in a URL would stand in the ConfigMap. */
function urlProblem({ name, http }: Hook): string | undefined {
  for (const call of [http?.preFreeze, http?.postThaw, http?.check]) {
    if (call === undefined) continue;
    const url = URL.parse(call.url);
    if (url === null || !/^https?:$/.test(url.protocol))
      return `hook ${name} has "${call.url}", which is no URL of http or https`;
    if (url.username !== '' || url.password !== '')
      return `hook ${name} has a URL with a user or a password in it, and not as a Secret`;
  }
  return undefined;
}
