/** Which objects are meant, and what is insisted on of them. */

/** Where one object is. */
export interface ObjectRef {
  readonly name: string;
  readonly namespace?: string | undefined;
}

/** All objects of a list, and from where a watch goes on. */
export interface ListResult<T> {
  readonly items: readonly T[];
  readonly resourceVersion: string;
}

/** What a deletion insists on. */
export interface DeleteOptions {
  /** Only this very object, not another one of its name. */
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
  readonly propagation?: 'Background' | 'Foreground' | 'Orphan' | undefined;
}
