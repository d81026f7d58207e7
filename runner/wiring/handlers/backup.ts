/** `run` and `backup`. */
import {
  type BackupRecord,
  isCopy,
  isDump,
  isSnapshot,
  JOB_INDEX,
  JOB_INDEX_VARIABLE,
  type PolicyConfig,
} from '../../../src/contract';
import type { BackupHandlers } from '../../cli/backup';
import type { GlobalOptions } from '../../cli/options';
import { backup } from '../../commands/backup';
import { readConfig } from '../../config';
import { formatRecord, type Output, recordPath } from '../../output/records';
import type { World } from '../world';
import { backupContext, required } from './context';

export function backupHandlers(world: World): BackupHandlers {
  return {
    async run({ config: file, ...options }) {
      const config = await readConfig(file);
      if (isSnapshot(config) && world.env[JOB_INDEX_VARIABLE] === `${JOB_INDEX.guard}`) {
        const { runGuard } = await import('../guard');
        await runGuard(config, options, world);
        return '';
      }
      await taken(config, options, world);
      return '';
    },

    async install(folder) {
      const { install } = await import('../../commands/install');
      await install(process.argv[1] ?? '', folder);
      return '';
    },

    async backup(policy, { config: file, output, ...options }) {
      if (file !== undefined) {
        const record = await taken(await readConfig(file), options, world);
        return record === undefined ? '' : printed(record, output, world);
      }
      const { backupByJob } = await import('../jobs');
      return await backupByJob(required(policy, 'backup'), { ...options, output }, world);
    },
  };
}

/** Takes a backup of whatever kind; the code of each is loaded when it is meant. Undefined where there was nothing to copy. */
async function taken(config: PolicyConfig, options: GlobalOptions, world: World): Promise<BackupRecord | undefined> {
  if (isCopy(config)) {
    const { takeCopy } = await import('../../commands/copy');
    const { copyContext } = await import('../copy');
    return await takeCopy(await copyContext(config, options, world));
  }
  if (!isDump(config)) return await backup(await backupContext(config, options, world));
  const { dumpContext } = await import('../dump');
  const context = await dumpContext(config, options, world);
  if (config.spec.dump.online !== undefined) {
    const { takeOnlineBackup } = await import('../../commands/online-backup');
    return await takeOnlineBackup(context);
  }
  const { takeDump } = await import('../../commands/dump');
  return await takeDump(context);
}

function printed(record: BackupRecord, output: Output, { clock }: World): string {
  if (output === 'table') return `backup ${recordPath(record)} ${record.phase}\n`;
  return formatRecord(record, output, clock.now());
}
