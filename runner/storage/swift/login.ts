/** Logging in to OpenStack: by Keystone's version 3, by Swift's own version 1, or with a token that somebody else has. */
import { STORE_KEYS } from '../../../src/contract';
import { StillpointError } from '../../errors';
import { readKey, unreadable } from '../credentials';
import { type Asked, failure } from '../failures';
import type { HttpClient } from '../http';

/** What a login gives. */
export interface SwiftSession {
  /** Of the account, without a slash at its end. */
  readonly storageUrl: string;
  readonly token: string;
}

type Values = Readonly<Record<string, string | undefined>>;

/** Logs in with what the mounted Secret says. */
export async function logIn(
  http: HttpClient,
  folder: string,
  region: string | undefined,
  signal: AbortSignal,
): Promise<SwiftSession> {
  const values: Values = Object.fromEntries(
    await Promise.all(STORE_KEYS.swift.map(async (key) => [key, await readKey(folder, key)] as const)),
  );
  const { OS_AUTH_URL, OS_STORAGE_URL, OS_AUTH_TOKEN, ST_AUTH } = values;
  if (OS_STORAGE_URL !== undefined && OS_AUTH_TOKEN !== undefined) {
    return { storageUrl: withoutSlash(OS_STORAGE_URL), token: OS_AUTH_TOKEN };
  }
  if (ST_AUTH !== undefined) return await versionOne(http, ST_AUTH, values.ST_USER, values.ST_KEY, signal);
  if (OS_AUTH_URL === undefined) throw unreadable(folder, 'OS_AUTH_URL', 'is missing, or empty');
  if (/\/v1(\.0)?\/?$/.test(OS_AUTH_URL)) {
    return await versionOne(http, OS_AUTH_URL, values.OS_USERNAME, values.OS_PASSWORD, signal);
  }
  return await versionThree(http, folder, OS_AUTH_URL, { ...values, region: region ?? values.OS_REGION_NAME }, signal);
}

async function versionOne(
  http: HttpClient,
  address: string,
  user: string | undefined,
  key: string | undefined,
  signal: AbortSignal,
): Promise<SwiftSession> {
  const asked: Asked = { what: 'log in to', store: `Swift at ${new URL(address).host}` };
  const headers = { 'x-auth-user': user ?? '', 'x-auth-key': key ?? '' };
  const answer = await http.ask(asked, { method: 'GET', url: new URL(address), headers, signal });
  const { 'x-storage-url': storageUrl, 'x-auth-token': token } = answer.headers;
  if (typeof storageUrl !== 'string' || typeof token !== 'string') throw nothingOffered(asked, 'no address and token');
  return { storageUrl: withoutSlash(storageUrl), token };
}

interface Catalog {
  readonly token?: {
    readonly catalog?: readonly {
      readonly type: string;
      readonly endpoints: readonly { readonly interface: string; readonly region?: string; readonly url: string }[];
    }[];
  };
}

/** https://docs.openstack.org/api-ref/identity/v3/#authentication-and-token-management */
async function versionThree(
  http: HttpClient,
  folder: string,
  address: string,
  values: Values,
  signal: AbortSignal,
): Promise<SwiftSession> {
  const base = withoutSlash(address);
  const url = new URL(`${/\/v3$/.test(base) ? base : `${base}/v3`}/auth/tokens`);
  const asked: Asked = { what: 'log in to', store: `Keystone at ${url.host}` };
  const body = JSON.stringify({ auth: authentication(folder, values) });
  const headers = { 'content-type': 'application/json' };
  const answer = await http.ask(asked, { method: 'POST', url, headers, body, signal });
  const token = answer.headers['x-subject-token'];
  const endpoint = endpointOf(JSON.parse(answer.text) as Catalog, values.region);
  if (typeof token !== 'string' || endpoint === undefined) {
    throw nothingOffered(asked, `no object store${values.region === undefined ? '' : ` in region ${values.region}`}`);
  }
  return { storageUrl: withoutSlash(endpoint), token };
}

/** What version 3 is told of who asks, and of what for. */
export function authentication(folder: string, values: Values): object {
  const { OS_APPLICATION_CREDENTIAL_ID: id, OS_APPLICATION_CREDENTIAL_SECRET: secret } = values;
  if (id !== undefined && secret !== undefined) {
    return { identity: { methods: ['application_credential'], application_credential: { id, secret } } };
  }
  const { OS_USERNAME: name, OS_PASSWORD: password } = values;
  if (name === undefined) throw unreadable(folder, 'OS_USERNAME', 'is missing, or empty');
  if (password === undefined) throw unreadable(folder, 'OS_PASSWORD', 'is missing, or empty');
  const user = { name, password, domain: { name: values.OS_USER_DOMAIN_NAME ?? 'Default' } };
  return { identity: { methods: ['password'], password: { user } }, scope: { project: projectOf(folder, values) } };
}

function projectOf(folder: string, values: Values): object {
  const id = values.OS_PROJECT_ID ?? values.OS_TENANT_ID;
  if (id !== undefined) return { id };
  const name = values.OS_PROJECT_NAME ?? values.OS_TENANT_NAME;
  if (name === undefined) throw unreadable(folder, 'OS_PROJECT_NAME', 'is missing, or empty');
  return { name, domain: { name: values.OS_PROJECT_DOMAIN_NAME ?? values.OS_USER_DOMAIN_NAME ?? 'Default' } };
}

/** The public address of the object store in a region, or in the first. */
export function endpointOf({ token }: Catalog, region: string | undefined): string | undefined {
  return (token?.catalog ?? [])
    .filter(({ type }) => type === 'object-store')
    .flatMap(({ endpoints }) => endpoints)
    .find((each) => each.interface === 'public' && (region === undefined || each.region === region))?.url;
}

function nothingOffered(asked: Asked, what: string): StillpointError {
  return failure('store-refused', asked, `${asked.store} offers ${what}`);
}

function withoutSlash(url: string): string {
  return url.replace(/\/+$/, '');
}
