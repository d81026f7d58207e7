/** Reads values out of the documents that a server answers. Pure; what is missing or of another type is undefined. */

/** A document as the driver gives it. */
export type Reply = Readonly<Record<string, unknown>>;

/** The value at a path, as `lastWrite.opTime.ts`. */
export function at(reply: unknown, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>((value, key) => (isReply(value) ? (value as Record<string, unknown>)[key] : undefined), reply);
}

export function textAt(reply: unknown, path: string): string | undefined {
  const value = at(reply, path);
  return typeof value === 'string' ? value : undefined;
}

/** A number of any of BSON's kinds. */
export function numberAt(reply: unknown, path: string): number | undefined {
  const value = at(reply, path);
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  // Long, Int32, Double.
  const plain: unknown = isReply(value) ? (value as { valueOf(): unknown }).valueOf() : undefined;
  if (typeof plain === 'number') return plain;
  const { toNumber } = (isReply(value) ? value : {}) as { readonly toNumber?: () => number };
  return typeof toNumber === 'function' ? toNumber.call(value) : undefined;
}

export function dateAt(reply: unknown, path: string): Date | undefined {
  const value = at(reply, path);
  return value instanceof Date ? value : undefined;
}

export function listAt(reply: unknown, path: string): readonly Reply[] {
  const value = at(reply, path);
  return Array.isArray(value) ? value.filter(isReply) : [];
}

/** Whether it is true, or a number that is not 0: servers answer both. */
export function isTrueAt(reply: unknown, path: string): boolean {
  const value = at(reply, path);
  return value === true || (typeof value === 'number' && value !== 0);
}

/** A BSON timestamp as `seconds:increment`, the way mongosh and the server's log have it. */
export function timestampAt(reply: unknown, path: string): string | undefined {
  const value = at(reply, path);
  const { t, i } = (isReply(value) ? value : {}) as { readonly t?: unknown; readonly i?: unknown };
  return typeof t === 'number' && typeof i === 'number' ? `${t}:${i}` : undefined;
}

/** An ObjectId as its 24 digits. */
export function idAt(reply: unknown, path: string): string | undefined {
  const value = at(reply, path);
  const { toHexString } = (isReply(value) ? value : {}) as { readonly toHexString?: () => string };
  return typeof toHexString === 'function' ? toHexString.call(value) : undefined;
}

function isReply(value: unknown): value is Reply {
  return typeof value === 'object' && value !== null;
}
