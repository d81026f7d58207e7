/**
 * What a restore has made besides its volumes: the custom resource of a copy, and its Secret. Nobody has to list Secrets to undo
 * it: the claims name them. A claim may be made to name anything, so what is named counts only where it has the labels of the restore.
 */
import { ANNOTATIONS, DNS_SUBDOMAIN_PATTERN } from '../../../src/contract';
import type { KubeClient } from '../client';
import { type Claim, SECRETS } from '../objects';
import { apiVersionOf, customKind, type KubeObject, type Resource } from '../resource';
import { restoreSelector } from './labels';

/** What names an object beside a claim, in the namespace of that. */
export interface Companion {
  readonly apiVersion: string;
  readonly kind: string;
  readonly plural: string;
  readonly name: string;
}

/** What the words may be: a path is made of them, and leads nowhere but into the namespace. */
const SHAPES: Readonly<Record<keyof Companion, RegExp>> = {
  apiVersion: /^(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?\/)?v[a-z0-9]+$/,
  kind: /^[A-Za-z]+$/,
  plural: /^[a-z]+$/,
  name: new RegExp(DNS_SUBDOMAIN_PATTERN),
};

/** An object of a restore, with its kind. */
interface FoundCompanion {
  readonly kind: Resource<KubeObject>;
  readonly what: string;
  readonly object: KubeObject;
}

/** The Secret of a copy. */
export function secretCompanion(name: string): Companion {
  return { apiVersion: apiVersionOf(SECRETS), kind: SECRETS.kind, plural: SECRETS.plural, name };
}

/** The change to a claim by which it names them. */
export function companionsEntry(companions: readonly Companion[]): object {
  return { metadata: { annotations: { [ANNOTATIONS.madeWith]: JSON.stringify(companions) } } };
}

/** Those that the claims of a restore name, and that it has made: in the order in which they are removed. */
export async function findCompanions(
  client: KubeClient,
  restore: { readonly namespace: string; readonly name: string },
  claims: readonly Claim[],
): Promise<readonly FoundCompanion[]> {
  const found: FoundCompanion[] = [];
  for (const companion of distinct(claims.flatMap(companionsOf))) {
    const kind = customKind(companion);
    const object = await client.get(kind, { name: companion.name, namespace: restore.namespace });
    if (object !== undefined && isOf(object, restore.name)) found.push({ kind, what: companion.kind, object });
  }
  return found;
}

function companionsOf({ metadata }: Claim): readonly Companion[] {
  let named: unknown;
  try {
    named = JSON.parse(metadata.annotations?.[ANNOTATIONS.madeWith] ?? '[]');
  } catch {
    return [];
  }
  return Array.isArray(named) ? named.filter(isCompanion) : [];
}

function isCompanion(value: unknown): value is Companion {
  const words = (value ?? {}) as Record<string, unknown>;
  return Object.entries(SHAPES).every(([name, shape]) => {
    const word = words[name];
    return typeof word === 'string' && shape.test(word);
  });
}

function distinct(companions: readonly Companion[]): readonly Companion[] {
  const key = ({ apiVersion, plural, name }: Companion): string => `${apiVersion} ${plural} ${name}`;
  return [...new Map(companions.map((each) => [key(each), each])).values()];
}

function isOf({ metadata }: KubeObject, restore: string): boolean {
  return Object.entries(restoreSelector(restore)).every(([label, value]) => metadata.labels?.[label] === value);
}
