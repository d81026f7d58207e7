/** What failed in a bench, by name: said when it happens and counted in a row, so that an hour's values are not lost for it. */
export type Failures = string[];

/** What a try came to; nothing where it failed, which is written down. */
export async function tried<T>(name: string, once: () => Promise<T>, failures: Failures): Promise<readonly T[]> {
  try {
    return [await once()];
  } catch (error) {
    failures.push(name);
    process.stderr.write(`bench: ${name}: failed: ${error instanceof Error ? error.message : error}\n`);
    return [];
  }
}
