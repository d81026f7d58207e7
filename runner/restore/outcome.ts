/**
 * What the runner in a pod tells the one outside: a line of JSON in the container's termination message, so that the
 * pod needs no right on the API at all. Kubernetes keeps 4096 bytes of it.
 */
import { writeFile } from 'node:fs/promises';
import type { Inspection, PreparedFiles } from '../engine';
import { asStillpointError, ERRORS, type ErrorCode, StillpointError } from '../errors';

/** Where Kubernetes looks for it, unless a container says otherwise. */
export const TERMINATION_LOG = '/dev/termination-log';

/** What Kubernetes keeps of it. */
export const LIMIT_BYTES = 4096;

type Outcome = { readonly result: unknown } | { readonly error: OutcomeError };

interface OutcomeError {
  readonly code: string;
  readonly message: string;
  readonly hint?: string | undefined;
}

/** Does the work, and writes what came of it to the file where one is given. An error is thrown on. */
export async function reporting<T>(
  file: string | undefined,
  shorter: (result: T) => readonly T[],
  work: () => Promise<T>,
): Promise<T> {
  try {
    const result = await work();
    if (file !== undefined)
      await writeFile(file, firstThatFits([result, ...shorter(result)].map((each) => ({ result: each }))));
    return result;
  } catch (thrown) {
    const error = asStillpointError(thrown);
    if (file !== undefined) await writeFile(file, firstThatFits(errorOutcomes(error))).catch(() => undefined);
    throw error;
  }
}

/** Reads a termination message: the result, or the error that the pod ended with; `fallback` is that of one without a word. */
export function readOutcome<T>(message: string | undefined, what: string, fallback: ErrorCode = 'restore-failed'): T {
  const outcome = parse(message);
  if (outcome !== undefined && 'result' in outcome) return outcome.result as T;
  if (outcome !== undefined) {
    const { code, message: text, hint } = outcome.error;
    throw new StillpointError(isCode(code) ? code : fallback, text, hint === undefined ? {} : { hint });
  }
  const said = message?.trim() ?? '';
  throw new StillpointError(
    fallback,
    said === '' ? `${what} ended without a word` : `${what} ended with: ${said.slice(-500)}`,
  );
}

/** Prepared files in fewer words: never with a path cut short. */
export function shorterPreparation(prepared: PreparedFiles): readonly PreparedFiles[] {
  return [
    { ...prepared, done: prepared.done.map((line) => shortened(line, 150)) },
    { ...prepared, done: [`${prepared.done.length} things`] },
  ];
}

/** An inspection in fewer words: what differs stays, what fits goes first. */
export function shorterInspection(inspection: Inspection): readonly Inspection[] {
  const findings = inspection.findings.filter(({ severity }) => severity !== 'ok');
  return [
    { ...inspection, findings },
    { ...inspection, findings: findings.map((each) => ({ ...each, message: shortened(each.message, 150) })) },
    {
      ...inspection,
      findings: findings.slice(0, 5).map((each) => ({ ...each, message: shortened(each.message, 80) })),
    },
  ];
}

function errorOutcomes({ code, message, hint }: StillpointError): readonly Outcome[] {
  return [{ error: { code, message, hint } }, { error: { code, message: shortened(message, 800) } }];
}

/** The first of several texts that there is room for; else the last. */
export function firstThatFits(outcomes: readonly unknown[]): string {
  const texts = outcomes.map((outcome) => JSON.stringify(outcome));
  return texts.find((text) => Buffer.byteLength(text) <= LIMIT_BYTES) ?? `${texts.at(-1)}`;
}

function parse(message: string | undefined): Outcome | undefined {
  try {
    const parsed = JSON.parse(message ?? '') as Partial<{ result: unknown; error: Partial<OutcomeError> }> | null;
    if (parsed?.result !== undefined) return { result: parsed.result };
    if (parsed?.error?.code === undefined || parsed.error.message === undefined) return undefined;
    return { error: { code: parsed.error.code, message: parsed.error.message, hint: parsed.error.hint } };
  } catch {
    return undefined;
  }
}

function isCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code);
}

/** The beginning of a text. */
export function shortened(text: string, characters: number): string {
  return text.length <= characters ? text : `${text.slice(0, characters - 1)}…`;
}
