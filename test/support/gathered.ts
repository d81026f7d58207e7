/** All that comes, as an array. */
export async function gathered<T>(from: AsyncIterable<T>): Promise<readonly T[]> {
  const all: T[] = [];
  for await (const each of from) all.push(each);
  return all;
}
