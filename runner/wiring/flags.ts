/** Options as they were typed. Pure. */

/** The first of some options that was given, as its flag: `--to-namespace`, or `--no-backup-first` for what was turned off. */
export function givenFlag(options: Readonly<Record<string, unknown>>): string | undefined {
  const [name, value] = Object.entries(options).find(([, given]) => given !== undefined) ?? [];
  if (name === undefined) return undefined;
  return `--${value === false ? 'no-' : ''}${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
