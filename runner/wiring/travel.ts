/** `stillpoint export`, `import` and `keygen`: files in and out, and a cluster. */
import { readFile, writeFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { timeLimit } from '../abort';
import type { ExportCommandOptions, ImportCommandOptions, KeygenCommandOptions } from '../cli/travel';
import { exportBackup } from '../commands/export';
import {
  type CopySource,
  type ExportedSource,
  type HandleSource,
  type ImportContext,
  type ImportResult,
  importBackup,
} from '../commands/import';
import { StillpointError } from '../errors';
import type { KubeClient } from '../kube/client';
import { KubernetesImportSite } from '../kube/import-site';
import { KubernetesSnapshotSource } from '../kube/snapshot-source';
import { formatImport } from '../output/travel';
import { formatExport, parseImportable } from '../travel/document';
import { generateKeys } from '../travel/signature';
import { bareHandles, refuseOfHandles } from './bare-handles';
import { importFromStore } from './import-from-store';
import { connect, kubernetesRegistry, kubernetesUses } from './kubernetes';
import { namespaceOf, theNamespace } from './namespace';
import { engineNamed, type World } from './world';

/** Writes a backup down. */
export async function exportHandler(name: string, options: ExportCommandOptions, world: World): Promise<string> {
  refuseFolders(options, 'export');
  const { file, signKey, registry } = options;
  const client = await connect(options, world);
  const document = await exportBackup(
    {
      registry: kubernetesRegistry(client, registry, world),
      registryName: registry,
      uses: kubernetesUses(client, registry, world),
      source: new KubernetesSnapshotSource(client),
      clock: world.clock,
      runnerVersion: world.version,
    },
    name,
    { namespace: namespaceOf(options, client), signKey: await keyOf(signKey) },
  );
  const written = formatExport(document, options.output);
  if (file === undefined) return written;
  await writeNew(file, written, 0o644);
  const { namespace, database, id } = document.record;
  const signature = document.signature === undefined ? 'not signed' : `signed by key ${document.signature.key}`;
  return `backup ${namespace}/${database}/${id} exported to ${file}, ${signature}\n`;
}

/** Registers backups of somebody else's: of a file, of a store, or by a bare handle. */
export async function importHandler(
  what: string | undefined,
  options: ImportCommandOptions,
  world: World,
): Promise<string> {
  refuseFolders(options, 'import');
  const client = await connect(options, world);
  const importOne = importWith(client, options, world);
  const { from } = options;
  if (from !== undefined) {
    if (options.handle !== undefined) throw usage('--from and --handle are two ways to import', 'give one of them');
    refuseOfHandles(options);
    const { database, image, serverImage, class: className, verifyKey } = options;
    const wishes = { database, image, serverImage, className, verifyKey: await keyOf(verifyKey) };
    refuseOfHandles(options);
    return await importFromStore(from, what, options, wishes, importOne, world);
  }
  if (options.all === true) throw usage('--all is for a store', 'name it: --from s3://bucket/prefix');
  const namespace = theNamespace(options, client);
  const source = what === undefined ? await bareHandles(options, namespace) : await written(what, options, namespace);
  return formatImport(await importOne(source), options.output);
}

/** Imports one backup within the time that a person gives it. */
function importWith(
  client: KubeClient,
  options: ImportCommandOptions,
  world: World,
): (source: ExportedSource | CopySource | HandleSource) => Promise<ImportResult> {
  return async (source) => {
    using limit = timeLimit(
      world.clock,
      options.timeout,
      () => new StillpointError('import-failed', `the import was not done after ${options.timeout / 1000} s`),
    );
    return await importBackup(
      importContext(client, options, { ...world, signal: AbortSignal.any([world.signal, limit.signal]) }),
      source,
    );
  };
}

function importContext(client: KubeClient, { registry }: ImportCommandOptions, world: World): ImportContext {
  const { clock, log, version, signal } = world;
  const warn = (line: string): void => log.warn({}, line);
  return {
    registry: kubernetesRegistry(client, registry, world),
    site: new KubernetesImportSite(client, { clock, warn }),
    engineNamed,
    clock,
    runnerVersion: version,
    say: (line) => log.info({}, line),
    signal,
  };
}

/** Writes a pair of keys; neither file may be there. */
export async function keygenHandler({ file }: KeygenCommandOptions): Promise<string> {
  const { privateKey, publicKey, name } = generateKeys();
  await writeNew(file, privateKey, 0o600);
  await writeNew(`${file}.pub`, publicKey, 0o644);
  return `key ${name}: sign with ${file}, which nobody else may have; verify with ${file}.pub\n`;
}

async function written(
  file: string,
  options: ImportCommandOptions,
  namespace: string,
): Promise<ExportedSource | CopySource> {
  const { handle, driver, database, image, serverImage, class: className, verifyKey } = options;
  if (handle !== undefined || driver !== undefined) {
    throw usage('a file and --handle are two ways to import', 'give one of them');
  }
  refuseOfHandles(options);
  const found = parseImportable(file === '-' ? await text(process.stdin) : await readText(file), file);
  if ('document' in found) {
    return { ...found, namespace, database, image, serverImage, className, verifyKey: await keyOf(verifyKey) };
  }
  if (verifyKey === undefined) return { ...found, namespace, database };
  throw new StillpointError('signature-invalid', `${file} is the record of a dump, which nobody signs`, {
    hint: 'leave --verify-key out, and look whose store it is from',
  });
}

async function keyOf(file: string | undefined): Promise<{ readonly pem: string; readonly file: string } | undefined> {
  return file === undefined ? undefined : { pem: await readText(file, 'key-unusable'), file };
}

async function readText(file: string, code: 'import-invalid' | 'key-unusable' = 'import-invalid'): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new StillpointError(code, `${file} cannot be read (${(cause as NodeJS.ErrnoException).code})`, { cause });
  }
}

/** Never over a file that is there: it may be the only copy of a key. */
async function writeNew(file: string, content: string, mode: number): Promise<void> {
  try {
    await writeFile(file, content, { flag: 'wx', mode });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const why = code === 'EEXIST' ? 'is there already, and is not overwritten' : `cannot be written (${code})`;
    throw new StillpointError('usage-invalid', `${file} ${why}`, { cause });
  }
}

function refuseFolders({ registryDirectory }: { readonly registryDirectory?: string }, command: string): void {
  if (registryDirectory === undefined) return;
  throw usage(`${command} is for backups in a cluster`, 'a local backup travels as its folders do: copy them');
}

function usage(message: string, hint: string): StillpointError {
  return new StillpointError('usage-invalid', message, { hint });
}
