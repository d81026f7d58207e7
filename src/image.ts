/** The version of the constructs, and of the runner that they ask for; the tests hold it against package.json. */
export const VERSION = '0.1.0';

/**
 * The runner's image where none is given. It names no host: a cluster's container runtime says where such images are
 * looked for, and most users mirror them and set `image`.
 */
export const DEFAULT_IMAGE = `stillpoint:${VERSION}`;
