/** `switch`: by the engine that has aliases. */
import { ENGINE_NAMES } from '../../src/contract';
import { timeLimit } from '../abort';
import type { SwitchCommandOptions } from '../cli/switch';
import type { Engine } from '../engine';
import { StillpointError } from '../errors';
import { formatSwitched } from '../output/switched';
import type { EngineOnline } from '../tools/online';
import { typedTarget } from './typed-target';
import { engineNamed, type World } from './world';

/** Moves it, and says from where to where. */
export async function switchHandler(alias: string, options: SwitchCommandOptions, world: World): Promise<string> {
  const { back, toDatabase: to, output, timeout } = options;
  if ((back === true) === (to !== undefined)) {
    throw new StillpointError('usage-invalid', 'switch needs to know where to: either --back or --to-database', {
      hint: '--back is to what the alias pointed to before the last switch',
    });
  }
  const { clock, signal } = world;
  using limit = timeLimit(
    clock,
    timeout,
    () => new StillpointError('server-unreachable', `alias ${alias} was not moved within ${timeout / 1000} s`),
  );
  const { online, defaultPort } = await engineWithAliases();
  const target = await typedTarget(options, defaultPort);
  const within = { clock, signal: AbortSignal.any([signal, limit.signal]) };
  const move = to === undefined ? ({ alias, back: true } as const) : { alias, to };
  return formatSwitched(await online.moveAlias(target, move, within), output);
}

async function engineWithAliases(): Promise<Pick<Engine, 'defaultPort'> & { readonly online: EngineOnline }> {
  for (const name of ENGINE_NAMES) {
    const { online, defaultPort } = await engineNamed(name);
    if (online !== undefined) return { online, defaultPort };
  }
  throw new StillpointError('usage-invalid', 'no engine is known whose servers have aliases');
}
