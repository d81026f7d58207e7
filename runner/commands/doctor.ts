/** Says before the first night what would fail: the checks of a backup, without the backup. */
import { gunzipSync, gzipSync } from 'node:zlib';
import { stringify } from 'yaml';
import { backupId, membersOf } from '../../src/contract';
import { asStillpointError } from '../errors';
import type { Member } from '../member';
import type { Output } from '../output/records';
import { table } from '../output/table';
import type { Finding, Registry, Volume } from '../ports';
import { type PreflightContext, preflight } from '../preflight';

export interface DoctorContext extends PreflightContext {
  readonly registry: Registry;
  /** The database's namespace. */
  readonly namespace: string;
}

/** What was looked at, and what was found. */
export async function doctor(context: DoctorContext): Promise<readonly Finding[]> {
  return [...(await registryFindings(context)), ...(await databaseFindings(context))];
}

async function registryFindings({ registry, namespace, config }: DoctorContext): Promise<readonly Finding[]> {
  const subject = 'registry';
  try {
    const records = await registry.list({ namespace, database: config.spec.database });
    const good = records.filter(({ record }) => record.phase === 'succeeded').length;
    return [
      { severity: 'ok', code: 'ok', subject, message: `${records.length} backups on record, ${good} of them good` },
    ];
  } catch (thrown) {
    return [asFinding(subject, thrown)];
  }
}

/** An error that ends the checks is a finding too; what needs no session is looked at all the same. */
async function databaseFindings(context: DoctorContext): Promise<readonly Finding[]> {
  const { config, clock } = context;
  const subject = `database ${config.spec.database}`;
  try {
    await using found = await preflight(context, backupId(clock.now()));
    return [...found.members.map((member) => reached(subject, member)), ...found.findings];
  } catch (thrown) {
    const ended = asFinding(subject, thrown);
    const others = await findingsWithoutSession(context);
    return [ended, ...others.filter(({ message }) => message !== ended.message)];
  }
}

function reached(subject: string, { name, source, session, place, plan }: Member): Finding {
  const { flavour, version } = session.server;
  const there = `${flavour ?? source.engine.name} ${version} in ${place.name}`;
  const planned = plan === undefined ? '' : `: layout ${plan.layout}, holds still: ${plan.freezes}`;
  return {
    severity: 'ok',
    code: 'ok',
    subject: name === '' ? subject : `member ${name}`,
    message: `${there}${planned}`,
  };
}

/** Rights, claims and classes: one run shows all that can be seen of them, whatever ended the checks. */
async function findingsWithoutSession({ config, platform, store }: DoctorContext): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  const gather = async (subject: string, work: () => Promise<readonly Finding[]>): Promise<void> => {
    findings.push(...(await work().catch((thrown: unknown) => [asFinding(subject, thrown)])));
  };
  const volumes: Volume[] = [];
  await gather('rights', () => platform.checkAccess());
  const selections = membersOf(config).flatMap((member) => member.config.volumes);
  for (const selection of selections.filter(({ podVolume }) => podVolume === undefined)) {
    await gather(`volume ${selection.name}`, async () => {
      volumes.push(...(await platform.resolveVolumes([selection])));
      return [];
    });
  }
  await gather('snapshots', () => store.check(volumes, 'individually'));
  return findings;
}

function asFinding(subject: string, thrown: unknown): Finding {
  const { code, message, hint } = asStillpointError(thrown);
  return { severity: 'error', code, subject, message, hint };
}

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

/** Findings as people and scripts read them. */
export function formatFindings(findings: readonly Finding[], output: Output): string {
  if (output === 'json') return `${JSON.stringify(findings, null, 2)}\n`;
  if (output === 'yaml') return stringify(findings);
  const rows = table(
    [
      { title: 'RESULT', value: ({ severity }: Finding) => severity },
      { title: 'CODE', value: ({ code, severity }: Finding) => (severity === 'ok' ? '-' : code) },
      { title: 'SUBJECT', value: ({ subject }: Finding) => subject },
      { title: 'MESSAGE', value: ({ message }: Finding) => message },
    ],
    findings,
  );
  const remedies = findings.flatMap(({ hint, subject }) => (hint === undefined ? [] : [`  ${subject}: ${hint}\n`]));
  return remedies.length === 0 ? rows : `${rows}\nWhat to do:\n${remedies.join('')}`;
}
