/** How large a claim asks to be, and how large it can be on a volume that is there already. Pure. */
import { atMost } from '../quantity';

type ClaimSpec = Readonly<Record<string, unknown>>;

interface Resources {
  readonly requests?: Readonly<Record<string, string>>;
}

/** The quantity that a claim asks for. */
export function requestedSize(spec: ClaimSpec): string | undefined {
  const { requests } = (spec.resources ?? {}) as Resources;
  return requests?.storage;
}

/** The spec with another size asked for. */
export function ofSize(spec: ClaimSpec, storage: string | undefined): ClaimSpec {
  if (storage === undefined || storage === requestedSize(spec)) return spec;
  const resources = (spec.resources ?? {}) as Resources;
  return { ...spec, resources: { ...resources, requests: { ...resources.requests, storage } } };
}

/** A claim that asks for more than the volume has that it names is never bound to it. */
export function fitting(spec: ClaimSpec, capacity: string | undefined): ClaimSpec {
  return ofSize(spec, atMost(requestedSize(spec), capacity));
}
