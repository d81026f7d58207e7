/** `list`, `status`, `describe` and `wait`. */
import type { RecordHandlers } from '../../cli/records';
import { describe } from '../../commands/describe';
import { list } from '../../commands/list';
import { status } from '../../commands/status';
import { wait } from '../../commands/wait';
import { instantOf, type Moment } from '../../output/duration';
import type { World } from '../world';
import { recordsOf } from './context';
import type { Terminal } from './terminal';

export function recordHandlers(world: World, { print, printed, note, colours }: Terminal): RecordHandlers {
  const { clock, signal } = world;
  const instant = (moment: Moment | undefined): Date | undefined => moment && instantOf(moment, clock.now());
  return {
    async list(database, { selector, engine, status: phases, since, until, sortBy, output, headers, ...options }) {
      const { registry, where } = await recordsOf(options, world);
      const chosen = { ...where, database, selector, engine, phases, since: instant(since), until: instant(until) };
      // Page by page: ten thousand records are printed, not gathered.
      for await (const text of list({ registry, clock, note }, { ...chosen, sortBy, output, headers, colours })) {
        await printed(text);
      }
      return '';
    },

    async status(database, { maxAge: maxAgeMs, output, headers, ...options }) {
      const { where, ...records } = await recordsOf(options, world);
      await status({ ...records, clock, print, note }, { ...where, database, maxAgeMs, output, headers, colours });
      return '';
    },

    async describe(name, options) {
      const { where, ...records } = await recordsOf(options, world);
      return await describe({ ...records, clock }, name, { ...where, output: options.output, colours });
    },

    async wait(name, options) {
      const { registry, where } = await recordsOf(options, world);
      const { for: condition, timeout: timeoutMs } = options;
      return await wait({ registry, clock, signal }, name, { ...where, for: condition, timeoutMs });
    },
  };
}
