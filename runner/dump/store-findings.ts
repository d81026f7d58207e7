/** Whether a store can be reached, and nothing is in the way there. */
import type { Finding } from '../ports';
import type { ObjectStore } from '../storage/object-store';

/**
 * Nothing is overwritten: what is there under this id is of somebody else, who shares bucket and prefix. Asked by a list: of one
 * object a store says without a word of why that it may not be seen, and a wrong key is not told from a right that is missing.
 */
export async function storeFindings(
  store: ObjectStore,
  folder: string,
  left: readonly string[],
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const subject = store.name;
  for await (const page of store.list(folder, { signal })) {
    const there = page.find(({ key }) => !left.includes(key));
    if (there === undefined) continue;
    return [
      {
        severity: 'error',
        code: 'object-exists',
        subject,
        message: `there is an object ${there.key} in ${store.name} already, and it is not of this backup`,
        hint: 'two clusters that use one bucket need a prefix each',
      },
    ];
  }
  return [{ severity: 'ok', code: 'ok', subject, message: 'can be reached, and nothing is in the way' }];
}
