/** What every engine asks of a request before it plans. Pure. */
import type { PlanRequest } from './engine';
import { type ErrorCode, StillpointError } from './errors';
import type { Finding, Volume } from './ports';

/** The volumes of a request by what lies on them. */
export function byRole(volumes: readonly Volume[]): Record<Volume['role'], readonly string[]> {
  const of = (role: Volume['role']): readonly string[] =>
    volumes.filter((volume) => volume.role === role).map(({ name }) => name);
  return { data: of('data'), log: of('log'), tablespace: of('tablespace') };
}

/** Options that an engine does not know, or values that one of them may not have. */
export function* optionProblems(
  { options }: PlanRequest,
  known: Readonly<Record<string, readonly string[]>>,
  server: string,
): Generator<Finding> {
  for (const [name, value] of Object.entries(options)) {
    const values = known[name];
    if (values?.includes(value) === true) continue;
    yield {
      severity: 'error',
      code: 'config-invalid',
      subject: 'policy',
      message: values === undefined ? `engine option ${name} is not known` : `engine option ${name} is "${value}"`,
      hint:
        values === undefined
          ? `${server} knows ${Object.keys(known).join(', ')}`
          : `it may be ${values.map((word) => `"${word}"`).join(' or ')}`,
    };
  }
}

/** What a server has of its own: one directory of its data, and one place of its log at most. */
export function* dataAndLogProblems(
  { volumes }: PlanRequest,
  log: { readonly what: string; readonly roles: string; readonly leads: string },
): Generator<Finding> {
  const { data, log: logs } = byRole(volumes);
  if (data.length !== 1) {
    yield requestProblem(
      'volume-mismatch',
      `the policy has ${data.length} volumes of role data (${data.join(', ')}), and a server has one data directory`,
      `give one volume the role data, ${log.roles}`,
    );
  }
  if (logs.length > 1) {
    yield requestProblem(
      'volume-mismatch',
      `the policy has ${logs.length} volumes of role log (${logs.join(', ')}), and a server has one ${log.what}`,
      `give the role log to the volume that ${log.leads}`,
    );
  }
}

/** Whether all volumes are cut at one instant by the storage. */
export function cutsTogether({
  layout,
  volumes,
  groupClass,
}: Pick<PlanRequest, 'layout' | 'volumes' | 'groupClass'>): boolean {
  return layout === 'group' || (layout === 'auto' && groupClass && volumes.length > 1);
}

/** What speaks against a request in itself. */
export function requestProblem(
  code: Extract<ErrorCode, 'config-invalid' | 'volume-mismatch' | 'driver-unsafe'>,
  message: string,
  hint: string,
): Finding {
  return { severity: 'error', code, subject: 'policy', message, hint };
}

/** Throws the first of them. */
export function refuseProblems([first]: readonly Finding[]): void {
  if (first === undefined) return;
  const code = first.code === 'ok' ? 'internal' : first.code;
  throw new StillpointError(code, first.message, first.hint === undefined ? {} : { hint: first.hint });
}
