/** Says before the first night what would fail: the checks of a backup, without the backup. */
import { backupId, membersOf } from '../../src/contract';
import { asStillpointError } from '../errors';
import type { Member } from '../member';
import { span } from '../output/duration';
import { nextOf } from '../overview';
import type { Finding, Registry, Schedule, Volume } from '../ports';
import { type PreflightContext, preflight } from '../preflight';
import { type KeepingContext, keepingFindings } from './keeping';
import { statesOf } from './status';

export interface DoctorContext extends PreflightContext, Pick<KeepingContext, 'policies' | 'inventory'> {
  readonly registry: Registry;
  /** The database's namespace. */
  readonly namespace: string;
}

/** What was looked at, and what was found. */
export async function doctor(context: DoctorContext): Promise<readonly Finding[]> {
  return [
    ...(await registryFindings(context)),
    ...(await keepingFindings(context)),
    ...(await databaseFindings(context)),
  ];
}

/** How many backups there are on record. */
export async function registryFindings({
  registry,
  namespace,
  config,
}: Pick<DoctorContext, 'registry' | 'namespace'> & Pick<KeepingContext, 'config'>): Promise<readonly Finding[]> {
  const subject = 'registry';
  try {
    const [state] = await statesOf({ registry }, { namespace, database: config.spec.database });
    const message =
      state === undefined
        ? 'no backup on record yet'
        : `${state.backups} backups on record, ${state.good} of them good`;
    return [{ severity: 'ok', code: 'ok', subject, message }];
  } catch (thrown) {
    return [asFinding(subject, thrown)];
  }
}

/** What a policy says of itself: whether it takes any backup at all. */
export function policyFindings(schedule: Schedule, now: Date): readonly Finding[] {
  const subject = `policy ${schedule.namespace}/${schedule.policy}`;
  const next = nextOf(schedule, now);
  if (next instanceof Date) {
    const message = `next backup in ${span(next.getTime() - now.getTime())} (${schedule.expression}, ${schedule.timeZone})`;
    return [{ severity: 'ok', code: 'ok', subject, message }];
  }
  if (next === 'unknown') return [];
  const why = next === 'suspended' ? 'it is suspended' : `its schedule ${schedule.expression} never comes`;
  const hint =
    next === 'suspended'
      ? 'set suspend: false in the policy when its backups are wanted'
      : 'give the policy a schedule';
  return [{ severity: 'warning', code: 'policy-idle', subject, message: `takes no backup by itself: ${why}`, hint }];
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
  const there = source.engine.capabilities.hasServer
    ? `${flavour ?? source.engine.name} ${version} in ${place.name}`
    : 'plain volumes, without a server';
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

/** An error as a finding. */
export function asFinding(subject: string, thrown: unknown): Finding {
  const { code, message, hint } = asStillpointError(thrown);
  return { severity: 'error', code, subject, message, hint };
}
