/** `list`, `status`, `describe` and `wait`. */
import type { RecordHandlers } from '../../cli/records';
import { describe } from '../../commands/describe';
import { list } from '../../commands/list';
import { status } from '../../commands/status';
import { wait } from '../../commands/wait';
import { smallHeap } from '../../heap';
import { instantOf, type Moment } from '../../output/duration';
import type { World } from '../world';
import { recordsOf } from './context';
import type { Terminal } from './terminal';
import { printTold } from './told';

export function recordHandlers(world: World, terminal: Terminal): RecordHandlers {
  const { print, printed, note, colours } = terminal;
  const { clock, signal } = world;
  const instant = (moment: Moment | undefined): Date | undefined => moment && instantOf(moment, clock.now());
  return {
    async list(database, { selector, engine, status: statuses, since, until, sortBy, output, headers, ...options }) {
      const { registry, where } = await recordsOf(options, world);
      const chosen = { ...where, database, selector, engine, statuses, since: instant(since), until: instant(until) };
      // Page by page: ten thousand records are printed, not gathered.
      const collect = smallHeap();
      for await (const text of list({ registry, clock, note }, { ...chosen, sortBy, output, headers, colours })) {
        await printed(text);
        collect();
      }
      return '';
    },

    async status(database, { maxAge: maxAgeMs, output, headers, selector, ...options }) {
      const { where, ...records } = await recordsOf(options, world);
      const style = { output, headers, colours };
      await status({ ...records, clock, print, note }, { ...where, database, selector, maxAgeMs, ...style });
      return '';
    },

    async describe(name, options) {
      const { where, ...records } = await recordsOf(options, world);
      return await describe({ ...records, clock }, name, { ...where, output: options.output, colours });
    },

    async check(name, options) {
      const { registry, where } = await recordsOf(options, world);
      const { checkHandler } = await import('../store-records');
      return await checkHandler({ registry, name, where }, options, world);
    },

    async wait(names, { for: condition, timeout: timeoutMs, output, selector, ...options }) {
      const { registry, where } = await recordsOf(options, world);
      const told = wait({ registry, clock, signal }, names, { ...where, selector, for: condition, timeoutMs });
      return await printTold(terminal, told, { names, output });
    },
  };
}
