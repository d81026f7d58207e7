/** What the API (or the way to it) answers, as errors of our own: never a body, never a header. */
import { StillpointError } from '../errors';

/** A request, as messages name it: `create volumesnapshots shop/orders-db-data-…`. */
export interface RequestName {
  readonly verb: string;
  readonly resource: string;
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
}

/** The parts of a `Status` that an answer other than 2xx carries. */
export interface KubeStatus {
  readonly reason?: string | undefined;
  readonly message?: string | undefined;
  readonly details?: { readonly retryAfterSeconds?: number | undefined } | undefined;
}

/** An answer of the API that is no success. */
export class KubeError extends StillpointError {
  override readonly name = 'KubeError';

  constructor(
    code: ConstructorParameters<typeof StillpointError>[0],
    message: string,
    readonly status: number,
    /** The machine-readable reason of the Status, as `AlreadyExists`. */
    readonly reason: string,
    hint?: string,
  ) {
    super(code, message, hint === undefined ? {} : { hint });
  }
}

/** Whether the object is already there. */
export function isAlreadyThere(thrown: unknown): boolean {
  return thrown instanceof KubeError && thrown.status === 409 && thrown.reason === 'AlreadyExists';
}

/** Whether somebody else has changed the object, or it is another one by now. */
export function isConflict(thrown: unknown): boolean {
  return thrown instanceof KubeError && thrown.status === 409 && thrown.reason !== 'AlreadyExists';
}

/** Whether the object, its namespace or its kind is not there. */
export function isMissing(thrown: unknown): boolean {
  return thrown instanceof KubeError && thrown.status === 404;
}

/** Whether the account may not do it. */
export function isForbidden(thrown: unknown): boolean {
  return thrown instanceof KubeError && thrown.code === 'permission-missing';
}

/** Whether a watch has to start again from a new list. */
export function isExpired(thrown: unknown): boolean {
  return thrown instanceof KubeError && thrown.status === 410;
}

/** `volumesnapshots shop/orders-db-data-…`, or without what is not known. */
export function objectName(request: RequestName): string {
  const path = [request.namespace, request.name].filter((part) => part !== undefined && part !== '').join('/');
  if (path === '') return request.resource;
  return request.name === undefined ? `${request.resource} in ${path}` : `${request.resource} ${path}`;
}

/** Translates an answer that is no success. */
export function refused(request: RequestName, httpStatus: number, status: KubeStatus): KubeError {
  const reason = status.reason ?? `status ${httpStatus}`;
  const what = `${request.verb} ${objectName(request)}`;
  if (httpStatus === 401) {
    const hint = 'log in again, or look at the account of the pod';
    return new KubeError(
      'kubernetes-refused',
      `the Kubernetes API does not know who asks to ${what}`,
      401,
      reason,
      hint,
    );
  }
  // Quotas and admission answer 403 too: only RBAC's own sentence means a missing right.
  if (httpStatus === 403 && /cannot \S+ resource/.test(status.message ?? '')) {
    const hint = `grant the verb ${request.verb} on ${request.resource}, or apply the manifests again`;
    return new KubeError('permission-missing', `the account may not ${what}`, 403, reason, hint);
  }
  const said = oneLine(status.message ?? '');
  return new KubeError(
    httpStatus === 429 || httpStatus >= 500 ? 'kubernetes-unreachable' : 'kubernetes-refused',
    `the Kubernetes API answered ${reason} to ${what}${said === '' ? '' : `: ${said}`}`,
    httpStatus,
    reason,
  );
}

/** Translates a request that got no answer. */
export function unreachable(request: RequestName, server: URL, cause: unknown): StillpointError {
  const code = (cause as { readonly code?: unknown }).code;
  const why = typeof code === 'string' ? code : oneLine(cause instanceof Error ? cause.message : String(cause));
  return new StillpointError(
    'kubernetes-unreachable',
    `no answer from the Kubernetes API at ${server.host} to ${request.verb} ${objectName(request)}: ${why}`,
    { hint: 'is the cluster up, and its address reachable from here?', cause },
  );
}

/** Long enough for what an admission policy says: before that stand the object's name, and twice the policy's. */
const SAID_MAX = 400;

function oneLine(text: string): string {
  const flat = text.replace(/\s+/g, ' ').trim();
  return flat.length > SAID_MAX ? `${flat.slice(0, SAID_MAX - 1)}…` : flat;
}
