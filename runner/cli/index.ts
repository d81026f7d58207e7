/** The command line: which commands there are, what they take, and their help. What they do is main's to wire. */
import { Command } from 'commander';
import { EXIT_CODES } from '../errors';
import { addBackupCommands, type BackupHandlers } from './backup';
import { addCheckCommands, type CheckHandlers } from './checks';
import { addCloneCommands, type CloneHandlers } from './clone';
import { addCompletionCommands, type CompletionHandlers } from './completion';
import { addCopyCommands, type CopyHandlers } from './copies';
import { programOf } from './family';
import { addRecordCommands, type RecordHandlers } from './records';
import { addRemovalCommands, type RemovalHandlers } from './removal';
import { addRestoreCommands, type RestoreHandlers } from './restore';
import { addRetentionCommands, type RetentionHandlers } from './retention';
import { addSwitchCommand, type SwitchHandlers } from './switch';
import { addTravelCommands, type TravelHandlers } from './travel';

/** What main does for each command. What comes back is printed. */
export interface Handlers
  extends BackupHandlers,
    RecordHandlers,
    RestoreHandlers,
    SwitchHandlers,
    CloneHandlers,
    CopyHandlers,
    TravelHandlers,
    RemovalHandlers,
    RetentionHandlers,
    CheckHandlers,
    CompletionHandlers {}

/** The program with all its commands. Results of handlers go to `print`. */
export function buildProgram(version: string, handlers: Handlers, print: (text: string) => void): Command {
  const root = new Command('stillpoint')
    .exitOverride()
    .description('Application-consistent backups for databases on Kubernetes.')
    .version(version)
    .showHelpAfterError('(see stillpoint --help)')
    .addHelpText('after', `\n${BACKUP_NAMES}\n${WHERE}\nExit codes:\n${exitCodes()}`);
  const program = programOf(root, print);
  addBackupCommands(program, handlers);
  addRecordCommands(program, handlers);
  addRestoreCommands(program, handlers);
  addSwitchCommand(program, handlers);
  addCloneCommands(program, handlers);
  addCopyCommands(program, handlers);
  addTravelCommands(program, handlers);
  addRemovalCommands(program, handlers);
  addRetentionCommands(program, handlers);
  addCheckCommands(program, handlers);
  addCompletionCommands(program);
  return root;
}

const BACKUP_NAMES = `A backup is called <id>, latest, <database>/<id> or <namespace>/<database>/<id>.
latest is the newest that succeeded; for wait, the newest on record of any state.
`;

const WHERE = `The flags that say where to look (-n, -A, --context and the like) may stand before the command, too.
`;

function exitCodes(): string {
  return Object.entries(EXIT_CODES)
    .map(([code, meaning]) => `  ${code}  ${meaning}\n`)
    .join('');
}
