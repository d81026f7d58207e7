/** What each command of the command line does: wires its ports, runs it, and gives back what to print. */
import type { Handlers } from '../../cli';
import type { World } from '../world';
import { backupHandlers } from './backup';
import { checkHandlers } from './checks';
import { cloneHandlers } from './clone';
import { completionHandlers } from './completion';
import { copyHandlers } from './copies';
import { recordHandlers } from './records';
import { removalHandlers } from './removal';
import { restoreHandlers } from './restore';
import { retentionHandlers } from './retention';
import { switchHandlers } from './switch';
import type { Terminal } from './terminal';
import { travelHandlers } from './travel';

/** The handlers of all commands in a world. */
export function makeHandlers(world: World, terminal: Terminal): Handlers {
  return {
    ...backupHandlers(world),
    ...recordHandlers(world, terminal),
    ...restoreHandlers(world, terminal),
    ...switchHandlers(world),
    ...cloneHandlers(world),
    ...copyHandlers(world),
    ...travelHandlers(world),
    ...removalHandlers(world, terminal),
    ...retentionHandlers(world, terminal),
    ...checkHandlers(world, terminal),
    ...completionHandlers(world),
  };
}
