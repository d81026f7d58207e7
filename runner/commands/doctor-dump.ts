/** The checks of a dump, without the dump. */
import { backupId } from '../../src/contract';
import { checkDump } from '../dump/checks';
import { lockFindings } from '../dump/lock-findings';
import { checkOnline } from '../dump/online-checks';
import { objectOrphanFindings } from '../dump/orphans';
import { asStillpointError } from '../errors';
import type { Finding } from '../ports';
import type { ObjectStore } from '../storage/object-store';
import { asFinding, registryFindings } from './doctor';
import type { DumpContext } from './dump';
import { type KeepingContext, keepingFindings } from './keeping';

export type DumpDoctorContext = DumpContext & Pick<KeepingContext, 'policies'>;

/** What was looked at, and what was found. */
export async function doctorDump(context: DumpDoctorContext): Promise<readonly Finding[]> {
  return [
    ...(await registryFindings(context)),
    ...(await keepingFindings(context)),
    ...(await ownLockFindings(context)),
    ...(await dumpFindings(context)),
  ];
}

/** Where the policies cannot be read, the look at the retention has said so. */
async function ownLockFindings({ config, namespace, policies }: DumpDoctorContext): Promise<readonly Finding[]> {
  const { storage } = config.spec;
  const { name } = config.metadata;
  if (storage.s3?.lock === undefined) return [];
  const known = (await policies?.list().catch(() => undefined)) ?? [];
  const own = known.find(({ metadata }) => metadata.name === name && metadata.namespace === namespace);
  return lockFindings(storage, own?.spec.retention);
}

/** An error that ends the checks is a finding too; what needs neither server nor store is looked at all the same. */
async function dumpFindings(context: DumpDoctorContext): Promise<readonly Finding[]> {
  const { config, namespace, clock, platform, engine } = context;
  const { database } = config.spec;
  const subject = `database ${database}`;
  try {
    const of = { namespace, database, id: backupId(clock.now()) };
    const online = config.spec.dump.online === undefined ? undefined : await checkOnline(context, of);
    const checked = online ?? (await checkDump(context, of));
    const { flavour, version } = checked.facts.server;
    const said = [flavour ?? engine.name, ...(version === undefined ? [] : [version])].join(' ');
    return [
      { severity: 'ok', code: 'ok', subject, message: said },
      ...checked.findings,
      ...(online?.found.findings ?? []),
      ...(await objectFindings(context, checked.store)),
    ];
  } catch (thrown) {
    const access = await platform.checkAccess().catch((other: unknown) => [asFinding('rights', other)]);
    return [asFinding(subject, thrown), ...access];
  }
}

/** What is in the store and on record, and not in both: no dump fails by it. */
async function objectFindings(
  { registry, namespace, config, signal }: DumpDoctorContext,
  store: ObjectStore,
): Promise<readonly Finding[]> {
  const { database, storage } = config.spec;
  try {
    return await objectOrphanFindings({ registry, store, storage, namespace, database, signal });
  } catch (thrown) {
    signal.throwIfAborted();
    const { code, message, hint } = asStillpointError(thrown);
    return [
      { severity: 'warning', code, subject: store.name, message: `what is there was not looked at: ${message}`, hint },
    ];
  }
}
