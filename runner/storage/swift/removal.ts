/** Removing objects of a container, several at once. */
import type { Asked } from '../failures';
import type { SwiftAccount } from './session';

const AT_ONCE = 8;

/** Removes objects as they are: of a manifest, not what it lists. One that is not there is no error. */
export async function removeAll(
  account: SwiftAccount,
  asked: Asked,
  container: string,
  names: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  for (let at = 0; at < names.length; at += AT_ONCE) {
    await Promise.all(
      names.slice(at, at + AT_ONCE).map(async (name) => {
        await account.ask(asked, { method: 'DELETE', path: [container, name] }, signal, [404]);
      }),
    );
  }
}
