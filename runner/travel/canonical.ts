/**
 * JSON with one form only, so that the same document gives the same bytes wherever it was written or read (RFC 8785: keys
 * sorted by their UTF-16 code units, no spaces, numbers and strings as ECMAScript writes them). Pure.
 */

/** The one form of a value that JSON can hold; properties without a value are left out. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((each) => canonicalJson(each ?? null)).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const properties = Object.entries(value)
    .filter(([, each]) => each !== undefined)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, each]) => `${JSON.stringify(name)}:${canonicalJson(each)}`);
  return `{${properties.join(',')}}`;
}
