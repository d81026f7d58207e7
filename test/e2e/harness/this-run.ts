/** What a run has made for itself (prepare.ts): told by the environment, so that tests and benches both have it. */
export const thisRun = {
  /** The runner's image of this checkout. */
  get image(): string {
    return needed('STILLPOINT_E2E_IMAGE');
  },
  /** The namespace of the run's registry, and the name of snapshot classes (of single and of group snapshots) that retain. */
  get registry(): string {
    return needed('STILLPOINT_E2E_REGISTRY');
  },
  /** Tells all that follows, in this process and those that it starts. */
  is({ image, registry }: { readonly image: string; readonly registry: string }): void {
    process.env.STILLPOINT_E2E_IMAGE = image;
    process.env.STILLPOINT_E2E_REGISTRY = registry;
  },
};

function needed(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: nothing has prepared this run`);
  return value;
}
