/**
 * Keeps with a backup what a control plane had made its database from: the custom resource in the record, the administrator's
 * password in a Secret beside it. Before anything is touched: a password that cannot be read then could not be later.
 */
import { type DatabaseResource, membersOf, type RecordedResource } from '../../src/contract';
import { readSecret } from '../config';
import { StillpointError } from '../errors';
import type { StoredRecord } from '../ports';
import type { BackupContext } from './backup-context';

/** What the record says of it; undefined of a policy that names none. */
export async function keepResource(
  { config, platform, registry }: Pick<BackupContext, 'config' | 'platform' | 'registry'>,
  stored: StoredRecord,
): Promise<RecordedResource | undefined> {
  const { resource } = membersOf(config)[0]?.config ?? {};
  if (resource === undefined) return undefined;
  const { apiVersion, kind, plural, name, path } = resource;
  const found = await platform.readResource(resource);
  const secret = await keepPassword(resource, registry, stored);
  return {
    apiVersion,
    kind,
    plural,
    name,
    ...(path === undefined ? {} : { path: `${path}/${stored.record.id}` }),
    ...found,
    ...(secret === undefined ? {} : { secret }),
  };
}

async function keepPassword(
  { passwordFile, kind }: DatabaseResource,
  registry: BackupContext['registry'],
  stored: StoredRecord,
): Promise<string | undefined> {
  if (passwordFile === undefined) return undefined;
  const password = await readSecret(passwordFile, "administrator's password");
  if (registry.keepSecret !== undefined) return await registry.keepSecret(stored, { [PASSWORD_KEY]: password });
  throw new StillpointError(
    'config-invalid',
    `the policy keeps the password of a ${kind}, and this registry keeps none`,
  );
}

/** In the Secret beside the record. */
export const PASSWORD_KEY = 'password';
