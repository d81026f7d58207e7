/** `run` and `backup`. */
import { type BackupRecord, JOB_INDEX, JOB_INDEX_VARIABLE } from '../../../src/contract';
import type { BackupHandlers } from '../../cli/backup';
import { backup } from '../../commands/backup';
import { readConfig } from '../../config';
import { formatRecord, type Output, recordPath } from '../../output/records';
import type { World } from '../world';
import { backupContext, required } from './context';

export function backupHandlers(world: World): BackupHandlers {
  return {
    async run({ config: file, ...options }) {
      if (world.env[JOB_INDEX_VARIABLE] === `${JOB_INDEX.guard}`) {
        const { runGuard } = await import('../guard');
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
      const { backupByJob } = await import('../jobs');
      return await backupByJob(required(policy, 'backup'), { ...options, output }, world);
    },
  };
}

function printed(record: BackupRecord, output: Output, { clock }: World): string {
  if (output === 'table') return `backup ${recordPath(record)} ${record.phase}\n`;
  return formatRecord(record, output, clock.now());
}
