/** What each command of the command line does: wires its ports, runs it, and gives back what to print. */
import { type BackupRecord, COMPONENTS, JOB_INDEX, JOB_INDEX_VARIABLE, LABELS } from '../../src/contract';
import type { GlobalOptions, Handlers, RestoreCommandOptions } from '../cli';
import { type BackupContext, backup } from '../commands/backup';
import { type DeleteContext, deleteBackup } from '../commands/delete';
import { describe } from '../commands/describe';
import { doctor, formatFindings, packFindings, shorterFindings } from '../commands/doctor';
import { heal } from '../commands/heal';
import { inspect } from '../commands/inspect';
import { list } from '../commands/list';
import { prepare } from '../commands/prepare';
import { prune } from '../commands/prune';
import { wait } from '../commands/wait';
import { readConfig } from '../config';
import { StillpointError } from '../errors';
import { formatRecord, type Output, recordPath } from '../output/records';
import type { Finding, RecordFilter, Registry } from '../ports';
import { failOnErrors } from '../preflight';
import { reporting } from '../restore/outcome';
import { engineOf, type World } from './world';

/** What the handlers ask of the terminal. */
export interface Terminal {
  readonly print: (text: string) => void;
  readonly confirm: (question: string) => Promise<boolean>;
}

/** The handlers of all commands in a world. */
export function makeHandlers(world: World, { print, confirm }: Terminal): Handlers {
  const { clock, log, signal } = world;
  /** Prints findings, packs them for whoever watches the pod, and fails by the first error among them. */
  const reported = async (
    findings: readonly Finding[],
    result: string | undefined,
    output: Output,
  ): Promise<string> => {
    await reporting(
      result,
      () => [packFindings(shorterFindings(findings))],
      async () => packFindings(findings),
    );
    print(formatFindings(findings, output));
    failOnErrors(findings);
    return '';
  };
  return {
    async run({ config: file, ...options }) {
      if (world.env[JOB_INDEX_VARIABLE] === `${JOB_INDEX.guard}`) {
        const { runGuard } = await import('./guard');
        await runGuard(await readConfig(file), options, world);
        return '';
      }
      const context = await backupContext(file, options, world);
      await backup(context);
      return '';
    },

    async backup(policy, { config: file, output, ...options }) {
      if (file !== undefined) {
        const record = await backup(await backupContext(file, options, world));
        return printed(record, output, world);
      }
      const { backupByJob } = await import('./jobs');
      return await backupByJob(required(policy, 'backup'), { ...options, output }, world);
    },

    async list(database, options) {
      return await list(
        { registry: await registryOf(options, world), clock },
        { ...filterOf(options, database), ...options },
      );
    },

    async describe(name, options) {
      const registry = await registryOf(options, world);
      return await describe({ registry, clock }, name, { ...filterOf(options), output: options.output });
    },

    async wait(name, options) {
      const registry = await registryOf(options, world);
      const { for: condition, timeout: timeoutMs } = options;
      return await wait({ registry, clock, signal }, name, { ...filterOf(options), for: condition, timeoutMs });
    },

    async restore(name, options) {
      if (options.inPlace === true) {
        const { inPlaceHandler } = await import('./in-place');
        return await inPlaceHandler(name, options, world, { print, confirm });
      }
      const { restoreHandler } = await import('./restore');
      return await restoreHandler(name, options satisfies RestoreCommandOptions, world);
    },

    async delete(name, options) {
      const removal = await removalOf(options, world);
      return await deleteBackup({ ...removal, clock, confirm }, name, {
        ...filterOf(options),
        yes: options.yes === true,
      });
    },

    async doctor(policy, { config: file, output, result, ...options }) {
      if (file === undefined) {
        const { doctorByJob } = await import('./jobs');
        await doctorByJob(required(policy, 'doctor'), { ...options, output }, world, print);
        return '';
      }
      return await reported(await doctor(await backupContext(file, options, world)), result, output);
    },

    async heal(policy, { config: file, output, result, ...options }) {
      if (file === undefined) {
        const { healByJob } = await import('./jobs');
        await healByJob(required(policy, 'heal'), { ...options, output }, world, print);
        return '';
      }
      const context = await backupContext(file, options, world);
      return await reported(await heal({ ...context, holder: context.run.owner.jobUid }), result, output);
    },

    async prune(options) {
      const { removed, cleaned, left } = await prune({ ...(await removalOf(options, world)), log });
      if (left.length === 0) return `removed ${removed.length}, cleaned ${cleaned.length}\n`;
      throw new StillpointError('delete-incomplete', `of these backups something is still there: ${left.join(', ')}`, {
        hint: 'the next prune tries again; the log says what was in the way',
      });
    },

    async prepare({ record, recordFile, volume, result, inPlace, attach, ...options }) {
      const source =
        recordFile === undefined
          ? { name: required(record, 'prepare'), registry: await registryOf(options, world) }
          : { file: recordFile };
      await prepare(
        { engineOf, log },
        { record: source, volumes: volume, how: howToPrepare(inPlace, attach), resultFile: result },
      );
      return '';
    },

    async inspect({ recordFile, socket, timeout: timeoutMs, result }) {
      const record = { file: recordFile };
      await inspect(
        { engineOf, clock, log, signal },
        { record, socketDirectory: socket, timeoutMs, resultFile: result },
      );
      return '';
    },
  };
}

function howToPrepare(inPlace: boolean | undefined, attach: boolean | undefined): 'in-place' | 'attach' | undefined {
  if (attach === true) return 'attach';
  return inPlace === true ? 'in-place' : undefined;
}

/** Everything that a backup by a job config needs: folders or a cluster, as the config says. */
async function backupContext(file: string, options: GlobalOptions, world: World): Promise<BackupContext> {
  const config = await readConfig(file);
  const { isLocal, localBackup } = await import('./local');
  if (isLocal(config)) return await localBackup(config, world);
  const { connect, kubernetesBackup } = await import('./kubernetes');
  return await kubernetesBackup(config, options, await connect(options, world), world);
}

async function registryOf(options: GlobalOptions, world: World): Promise<Registry> {
  if (options.registryDirectory !== undefined) {
    const { localRegistry } = await import('./local');
    return localRegistry(options.registryDirectory, world);
  }
  const { connect, kubernetesRegistry } = await import('./kubernetes');
  return kubernetesRegistry(await connect(options, world), options.registry, world);
}

async function removalOf(
  options: GlobalOptions,
  world: World,
): Promise<Pick<DeleteContext, 'registry' | 'remover' | 'locksOf'>> {
  if (options.registryDirectory !== undefined) {
    const { localLocks, localRegistry, localRemover } = await import('./local');
    const directory = options.registryDirectory;
    return {
      registry: localRegistry(directory, world),
      remover: localRemover(world),
      locksOf: () => localLocks(directory),
    };
  }
  const { connect, kubernetesLocks, kubernetesRegistry, kubernetesRemover } = await import('./kubernetes');
  const client = await connect(options, world);
  return {
    registry: kubernetesRegistry(client, options.registry, world),
    remover: kubernetesRemover(client, world),
    locksOf: (namespace) => kubernetesLocks(client, namespace, world),
  };
}

/** Where to look: in one namespace or, with -A or when none is said, in all. */
function filterOf({ namespace, allNamespaces }: GlobalOptions, database?: string): RecordFilter {
  return { database, namespace: allNamespaces === true ? undefined : namespace };
}

function printed(record: BackupRecord, output: Output, { clock }: World): string {
  if (output === 'table') return `backup ${recordPath(record)} ${record.phase}\n`;
  return formatRecord(record, output, clock.now());
}

function required(value: string | undefined, command: string): string {
  if (value !== undefined) return value;
  throw new StillpointError('usage-invalid', `${command} needs the name of a policy, or --config`, {
    hint: `see which there are: kubectl get cronjobs -A -l ${LABELS.component}=${COMPONENTS.backup}`,
  });
}
