/** What all objects of Kubernetes have in common, and how a kind is named, as the API has them on the wire. */

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly generateName?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
  readonly ownerReferences?: readonly OwnerReference[];
  /** Who has written which fields. */
  readonly managedFields?: readonly {
    readonly manager?: string;
    readonly fieldsV1?: Readonly<Record<string, unknown>>;
  }[];
}

export interface KubeObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ObjectMeta;
}

/** A kind of object: where the API keeps it. */
export interface Resource<T extends KubeObject> {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
  /** Exists for the compiler only. */
  readonly type?: T;
}

/** Names a kind, with the type of its objects: `resource<Job>()('batch', 'v1', 'Job', 'jobs')`. */
export const resource =
  <T extends KubeObject>() =>
  (group: string, version: string, kind: string, plural: string, namespaced = true): Resource<T> => ({
    group,
    version,
    kind,
    plural,
    namespaced,
  });

/** An object of a kind that only others know. */
export interface CustomResource extends KubeObject {
  readonly spec?: Readonly<Record<string, unknown>>;
}

/** The kind of a custom resource, named as its own manifest names it. */
export function customKind({
  apiVersion,
  kind,
  plural,
}: {
  readonly apiVersion: string;
  readonly kind: string;
  readonly plural: string;
}): Resource<CustomResource> {
  const [version = '', group = ''] = apiVersion.split('/').reverse();
  return resource<CustomResource>()(group, version, kind, plural);
}

/** The value of `apiVersion` of a kind's objects. */
export function apiVersionOf(kind: Resource<KubeObject>): string {
  return kind.group === '' ? kind.version : `${kind.group}/${kind.version}`;
}
