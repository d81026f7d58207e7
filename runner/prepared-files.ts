/** Restored files that a server may start on. */
export interface PreparedFiles {
  /** The folder that the server starts on. */
  readonly dataPath: string;
  /** The numeric owner of the files: the server has to run as it. */
  readonly uid: number;
  readonly gid: number;
  /** What was done, in words. */
  readonly done: readonly string[];
}
