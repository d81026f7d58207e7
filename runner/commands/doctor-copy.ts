/** The checks of a copy, without the copy. */
import { backupId } from '../../src/contract';
import { checkCopy, planCopy, readerFindings } from '../copy/checks';
import { findCopySource } from '../copy/source';
import { objectOrphanFindings } from '../dump/orphans';
import { reach } from '../dump/store-look';
import type { Finding } from '../ports';
import type { CopyContext } from './copy';
import { asFinding, registryFindings } from './doctor';
import { type OwnStoreContext, ownStoreFindings, without } from './doctor-own-store';
import { keepingFindings } from './keeping';

export type CopyDoctorContext = CopyContext & Pick<OwnStoreContext, 'policies'>;

/** What was looked at, and what was found: what a copy made now would meet. */
export async function doctorCopy(given: CopyDoctorContext): Promise<readonly Finding[]> {
  const context = { ...given, openStore: await reach(given.openStore, given.signal) };
  const place = await found(`database ${context.config.spec.database}`, () => placeFindings(context));
  return [
    ...(await registryFindings(context)),
    ...(await keepingFindings(context)),
    ...without(await ownStoreFindings(context), place),
    ...place,
    ...(await found(`database ${context.config.spec.of}`, () => sourceFindings(context))),
  ];
}

/** An error that ends some checks is a finding too; the others are looked at all the same. */
async function found(subject: string, look: () => Promise<readonly Finding[]>): Promise<readonly Finding[]> {
  try {
    return await look();
  } catch (thrown) {
    return [asFinding(subject, thrown)];
  }
}

async function placeFindings(context: CopyContext): Promise<readonly Finding[]> {
  const { config, namespace, clock } = context;
  const { database, storage } = config.spec;
  const { findings, store } = await checkCopy(context, { namespace, database, id: backupId(clock.now()) });
  const { registry, signal } = context;
  return [...findings, ...(await objectOrphanFindings({ registry, store, storage, namespace, database, signal }))];
}

async function sourceFindings({ config, namespace, registry }: CopyContext): Promise<readonly Finding[]> {
  const { database, of } = config.spec;
  const { stored, newest } = await findCopySource({ registry, namespace, of, copies: database });
  const subject = `database ${of}`;
  if (newest === undefined) {
    const message = `there is no good backup of ${namespace}/${of} yet: there is nothing to copy`;
    return [{ severity: 'warning', code: 'backup-not-found', subject, message, hint: 'take one: stillpoint backup' }];
  }
  if (stored === undefined) {
    return [{ severity: 'ok', code: 'ok', subject, message: `its newest good backup, ${newest}, was copied already` }];
  }
  planCopy(stored.record, config);
  return [
    ...readerFindings(stored.record, config),
    { severity: 'ok', code: 'ok', subject, message: `backup ${newest} would be copied` },
  ];
}
