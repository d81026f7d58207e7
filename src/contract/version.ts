/** The domain of everything that Stillpoint names in a cluster: the API group of its documents and its label prefix. */
export const DOMAIN = 'stillpoint.dev';

/** The `apiVersion` of the documents that this version writes. */
export const API_VERSION = `${DOMAIN}/v1`;

/** The `apiVersion`s that this version reads: its own, and that of the version before it. */
export const READABLE_API_VERSIONS = [API_VERSION] as const;
