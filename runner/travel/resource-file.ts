/**
 * The custom resource that a database was made from, out of a file that a person brings from the other cluster:
 * `kubectl get databases.cp.nuodb.com <name> -o yaml`. Pure. Of what is in it, only what a restore needs is taken over.
 */
import { parse } from 'yaml';
import type { RecordedResource } from '../../src/contract';
import { StillpointError } from '../errors';
import { withoutPasswords } from '../resource-spec';

/** A whole resource has a few kilobytes. */
const MAX_CHARACTERS = 1024 * 1024;

/** `/backups/<organization>/<project>/<database>/<name>`, as the control plane calls a backup. */
const PATH = /^\/backups(?:\/[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?){4}$/;

/** Reads it. The plural is the engine's to say. Throws import-invalid, and usage-invalid of the path. */
export function resourceIn(text: string, file: string, path: string | undefined): Omit<RecordedResource, 'plural'> {
  if (path !== undefined && !PATH.test(path)) {
    throw new StillpointError('usage-invalid', `"${path}" is not what a control plane calls a backup`, {
      hint: 'write /backups/<organization>/<project>/<database>/<name>',
    });
  }
  const { apiVersion, kind, metadata, spec } = asObject(parsed(text, file));
  const { name, labels } = asObject(metadata);
  if (typeof apiVersion !== 'string' || typeof kind !== 'string' || typeof name !== 'string' || name === '') {
    throw unfit(file, 'apiVersion, kind or metadata.name is missing');
  }
  const kept = Object.entries(asObject(labels)).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  );
  return {
    ...{ apiVersion, kind, name },
    ...(path === undefined ? {} : { path }),
    labels: Object.fromEntries(kept),
    spec: withoutPasswords(asObject(spec)),
  };
}

function parsed(text: string, file: string): unknown {
  if (text.length > MAX_CHARACTERS) throw unfit(file, 'it is larger than 1 MiB');
  try {
    // Without aliases: a few lines of them become gigabytes.
    return parse(text, { maxAliasCount: 0 });
  } catch (cause) {
    throw unfit(file, `it is no YAML: ${(cause as Error).message.split('\n')[0]}`);
  }
}

function asObject(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

function unfit(file: string, why: string): StillpointError {
  return new StillpointError('import-invalid', `${file} is no resource that a database is made from: ${why}`, {
    hint: 'write it where the database is: kubectl get <kind> <name> -o yaml',
  });
}
