/** `stillpoint import --handle`: what a person says of snapshots that no record is of, and the files beside it. */
import { readFile } from 'node:fs/promises';
import type { ImportCommandOptions } from '../cli/travel';
import type { HandleSource } from '../commands/import';
import { readSecret } from '../config';
import { StillpointError } from '../errors';
import { bareId, bareSnapshots } from '../travel/bare';
import { resourceIn } from '../travel/resource-file';
import { engineNamed } from './world';

/** Throws usage-invalid, and import-invalid of a file that is no resource. */
export async function bareHandles(options: ImportCommandOptions, namespace: string): Promise<HandleSource> {
  const { handle: handles, driver, database, engine, mountPath, volume, size: sizes = [] } = options;
  if (handles === undefined) throw usage('import needs a file, or --handle', 'see stillpoint import --help');
  const missing = Object.entries({ '--driver': driver, '--database': database, '--engine': engine })
    .filter(([, value]) => value === undefined)
    .map(([name]) => name);
  if (driver === undefined || database === undefined || engine === undefined) {
    throw usage(
      `import by a handle needs ${missing.join(', ')} too`,
      'the storage does not tell what is on a snapshot',
    );
  }
  if (options.verifyKey !== undefined) throw usage('a bare handle carries no signature', 'leave --verify-key out');
  const { bareVolumes = [] } = (await engineNamed(engine)).restore;
  const { image, serverImage, class: className, id, path } = options;
  return {
    ...{ driver, database, engine, namespace, image, serverImage, className },
    id: bareId(id, path),
    snapshots: bareSnapshots({ handles, sizes, volume, mountPath }, engine, bareVolumes),
    ...(await resourceStep(options)),
  };
}

/** An exported backup says all this itself. Throws usage-invalid. */
export function refuseOfHandles({ id, resourceFile, path, passwordFile }: ImportCommandOptions): void {
  const given = Object.entries({
    '--id': id,
    '--resource-file': resourceFile,
    '--path': path,
    '--password-file': passwordFile,
  });
  const [flag] = given.find(([, value]) => value !== undefined) ?? [];
  if (flag === undefined) return;
  throw usage(`${flag} is for an import by handles`, 'leave it out: the record says it');
}

async function resourceStep({
  resourceFile,
  path,
  passwordFile,
}: ImportCommandOptions): Promise<Pick<HandleSource, 'resource' | 'password'>> {
  if (resourceFile === undefined) {
    if (path === undefined && passwordFile === undefined) return {};
    const flag = path === undefined ? '--password-file' : '--path';
    throw usage(`${flag} is of a resource, and none is given`, 'give it with --resource-file');
  }
  const text = await readFile(resourceFile, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new StillpointError('import-invalid', `${resourceFile} cannot be read (${cause.code})`, { cause });
  });
  return {
    resource: resourceIn(text, resourceFile, path),
    ...(passwordFile === undefined ? {} : { password: await readSecret(passwordFile, "administrator's password") }),
  };
}

function usage(message: string, hint: string): StillpointError {
  return new StillpointError('usage-invalid', message, { hint });
}
