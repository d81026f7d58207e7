import { BackupSchedule } from 'stillpoint';

/** The 31st of February: tests start Jobs themselves, and what ran at its own hour would do what another test looks at. */
export const NEVER = BackupSchedule.cron('0 0 31 2 *');
