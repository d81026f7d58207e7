/** The checks of a dump, without the dump. */
import { backupId } from '../../src/contract';
import { checkDump } from '../dump/checks';
import { checkOnline } from '../dump/online-checks';
import { objectOrphanFindings } from '../dump/orphans';
import { reach } from '../dump/store-look';
import { asStillpointError } from '../errors';
import type { Finding } from '../ports';
import type { ObjectStore } from '../storage/object-store';
import { asFinding, registryFindings } from './doctor';
import { type OwnStoreContext, ownStoreFindings, without } from './doctor-own-store';
import type { DumpContext } from './dump';
import { keepingFindings } from './keeping';

export type DumpDoctorContext = DumpContext & Pick<OwnStoreContext, 'policies'>;

/** What was looked at, and what was found. */
export async function doctorDump(context: DumpDoctorContext): Promise<readonly Finding[]> {
  const openStore = await reach(context.openStore, context.signal);
  const database = await dumpFindings({ ...context, openStore });
  return [
    ...(await registryFindings(context)),
    ...(await keepingFindings(context)),
    ...without(await ownStoreFindings({ ...context, openStore }), database),
    ...database,
  ];
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
