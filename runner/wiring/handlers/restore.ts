/** `restore`, and what runs in the pods of one: `prepare`, `inspect`. */
import type { RestoreCommandOptions, RestoreHandlers } from '../../cli/restore';
import { inspect } from '../../commands/inspect';
import { prepare } from '../../commands/prepare';
import { engineOf, type World } from '../world';
import { recordsOf, requiredBackup } from './context';
import type { Terminal } from './terminal';

export function restoreHandlers(world: World, terminal: Terminal): RestoreHandlers {
  const { clock, log, signal } = world;
  return {
    async restore(name, options) {
      if (options.from !== undefined) {
        const { restoreFromStore } = await import('../restore-from-store');
        return await restoreFromStore(name, { ...options, from: options.from }, world);
      }
      if (options.inPlace === true) {
        const { inPlaceHandler } = await import('../in-place');
        return await inPlaceHandler(name, options, world, terminal);
      }
      if (options.host !== undefined) {
        const { restoreDumpByJob } = await import('../restore-dump-job');
        return await restoreDumpByJob(requiredBackup(name, 'restore'), { ...options, host: options.host }, world);
      }
      if (name !== undefined && mayBeCopy(options)) {
        const { restoreCopyByJob } = await import('../restore-copy-job');
        const restored = await restoreCopyByJob(name, options, world);
        if (restored !== undefined) return restored;
      }
      const { restoreHandler } = await import('../restore');
      return await restoreHandler(name, options satisfies RestoreCommandOptions, world);
    },

    async restoreDump(options) {
      const { restoreDumpHandler } = await import('../restore-dump');
      return await restoreDumpHandler(options, world);
    },

    async prepare({ record, recordFile, volume, result, inPlace, attach, ...options }) {
      const source =
        recordFile === undefined
          ? { name: requiredBackup(record, 'prepare'), registry: (await recordsOf(options, world)).registry }
          : { file: recordFile };
      await prepare(
        { engineOf, log },
        { record: source, volumes: volume, how: howToPrepare(inPlace, attach), resultFile: result },
      );
      return '';
    },

    async inspect({ recordFile, socket, timeout: timeoutMs, result, scripts, passwordFile }) {
      const record = { file: recordFile };
      await inspect(
        { engineOf, clock, log, signal },
        { record, socketDirectory: socket, timeoutMs, resultFile: result, scripts, passwordFile },
      );
      return '';
    },
  };
}

/** In folders there are no copies, and what is undone is found without a backup. */
function mayBeCopy({ undo, directory, registryDirectory }: RestoreCommandOptions): boolean {
  return undo === undefined && directory === undefined && registryDirectory === undefined;
}

function howToPrepare(inPlace: boolean | undefined, attach: boolean | undefined): 'in-place' | 'attach' | undefined {
  if (attach === true) return 'attach';
  return inPlace === true ? 'in-place' : undefined;
}
