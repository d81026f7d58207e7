/** Put in by the bundler; nobody defines it when the sources run unbundled. */
declare const STILLPOINT_VERSION: string | undefined;

/** The version of the runner, from package.json. `0.0.0-source` when it runs from its sources. */
export const RUNNER_VERSION: string = typeof STILLPOINT_VERSION === 'string' ? STILLPOINT_VERSION : '0.0.0-source';
