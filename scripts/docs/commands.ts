import type { Command } from 'commander';
import { buildProgram, type Handlers } from '../../runner/cli';

/** As wide as the help of a terminal that is. */
const WIDTH = 120;

const BACKTICKS = '```';

/** The page on the command line: what `--help` says, of the program and of each of its commands. */
export function commandsPage(): readonly string[] {
  const root = buildProgram('‹version›', {} as Handlers, () => undefined);
  const commands = root
    .createHelp()
    .visibleCommands(root)
    .filter((command) => command.name() !== 'help');
  return [
    'What `stillpoint` and `kubectl stillpoint` take. Each command says the same with `--help`.',
    help(root),
    ...commands.flatMap((command) => [`## ${root.name()} ${command.name()}`, help(command)]),
  ];
}

function help(command: Command): string {
  let text = '';
  command.configureOutput({
    writeOut: (more) => {
      text += more;
    },
    getOutHelpWidth: () => WIDTH,
    getOutHasColors: () => false,
  });
  command.outputHelp();
  return `${BACKTICKS}text\n${text.trimEnd()}\n${BACKTICKS}`;
}
