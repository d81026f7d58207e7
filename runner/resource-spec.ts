/** What a record keeps of the spec of a custom resource. Pure. */

/** A field whose text may be a secret itself; a reference to one (`passwordRef`) is an object, and is kept. */
const SECRET_FIELD = /(password|secret|token|credentials?|private_?key)$/i;

/** A spec without the texts that may be secrets: a record is read by many. */
export function withoutPasswords(spec: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(spec).flatMap(([name, value]): [string, unknown][] =>
      typeof value === 'string' && SECRET_FIELD.test(name) ? [] : [[name, kept(value)]],
    ),
  );
}

function kept(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(kept);
  return typeof value === 'object' && value !== null ? withoutPasswords(value as Record<string, unknown>) : value;
}
