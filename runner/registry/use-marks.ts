/** Marks of those who work with a backup, as annotations of its record. Pure. */
import { ANNOTATIONS } from '../../src/contract';
import type { ConfigMap } from '../kube/objects';
import type { UseMark } from '../ports';

/** How long a mark holds that is not renewed. */
export const USE_SECONDS = 30;

/** The annotation of one user. */
export function useKey(token: string): string {
  return `${ANNOTATIONS.use}${token}`;
}

/** What a user writes: who it is and, so that it changes, when. Nobody compares that time with another clock. */
export function useValue(what: string, now: Date): string {
  return `${now.toISOString()} ${what}`;
}

/** The marks on a record. */
export function usesOf({ metadata: { annotations = {} } }: ConfigMap): readonly UseMark[] {
  return Object.entries(annotations)
    .filter(([key]) => key.startsWith(ANNOTATIONS.use))
    .map(([key, written]) => ({
      token: key.slice(ANNOTATIONS.use.length),
      what: written.slice(written.indexOf(' ') + 1),
      written,
    }));
}

/** Those of the first that are still there and were not renewed. */
export function unchanged(first: readonly UseMark[], now: readonly UseMark[]): readonly UseMark[] {
  return first.filter((mark) => now.some(({ token, written }) => token === mark.token && written === mark.written));
}
