/** What checks have found, as people, scripts and termination messages have it. Pure. */
import { gunzipSync, gzipSync } from 'node:zlib';
import { stringify } from 'yaml';
import type { Finding } from '../ports';
import type { Output } from './records';
import { type Colour, type Column, type TableStyle, table } from './table';

/** A finding, and the policy that it is of where there are several. */
export type PolicyFinding = Finding & { readonly policy?: string };

/** Findings in few bytes: a termination message has room for 4096. */
export function packFindings(findings: readonly Finding[]): string {
  return gzipSync(JSON.stringify(findings)).toString('base64');
}

/** What {@link packFindings} has packed. */
export function unpackFindings(packed: string): readonly Finding[] {
  return JSON.parse(gunzipSync(Buffer.from(packed, 'base64')).toString()) as readonly Finding[];
}

/** What is left of findings that are too many: all that is wrong, and how much is not. */
export function shorterFindings(findings: readonly Finding[]): readonly Finding[] {
  const wrong = findings.filter(({ severity }) => severity !== 'ok');
  const message = `${findings.length - wrong.length} checks found nothing wrong`;
  return [{ severity: 'ok', code: 'ok', subject: 'the rest', message }, ...wrong];
}

/** The worst first; among equals as they were found. */
export function worstFirst<T extends Finding>(findings: readonly T[]): readonly T[] {
  return [...findings].sort((one, other) => SEVERITIES.indexOf(one.severity) - SEVERITIES.indexOf(other.severity));
}

const SEVERITIES: readonly Finding['severity'][] = ['error', 'warning', 'ok'];

/** Findings as people and scripts read them, the worst first. */
export function formatFindings(
  found: readonly PolicyFinding[],
  output: Output,
  style: Pick<TableStyle, 'colours'> = {},
): string {
  const findings = worstFirst(found);
  if (output === 'json') return `${JSON.stringify(findings, null, 2)}\n`;
  if (output === 'yaml') return stringify(findings);
  const several = findings.some(({ policy }) => policy !== undefined);
  const columns: readonly Column<PolicyFinding>[] = [
    { title: 'RESULT', value: ({ severity }) => severity, colour: ({ severity }) => COLOURS[severity] },
    ...(several ? [{ title: 'POLICY', value: ({ policy }: PolicyFinding) => policy ?? '' }] : []),
    { title: 'CODE', value: ({ code, severity }) => (severity === 'ok' ? '-' : code) },
    { title: 'SUBJECT', value: ({ subject }) => subject },
    { title: 'MESSAGE', value: ({ message }) => message },
  ];
  const rows = table(columns, findings, style);
  const remedies = [...new Set(findings.flatMap(remedyOf))];
  return remedies.length === 0 ? rows : `${rows}\nWhat to do:\n${remedies.join('')}`;
}

function remedyOf({ hint, subject, policy }: PolicyFinding): string[] {
  return hint === undefined ? [] : [`  ${policy === undefined ? '' : `${policy}: `}${subject}: ${hint}\n`];
}

const COLOURS: Readonly<Record<Finding['severity'], Colour>> = { error: 'red', warning: 'yellow', ok: 'green' };
