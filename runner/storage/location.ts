/** A store as a person names it: `s3://backups/prod?endpoint=https://minio:9000`. Pure. */
import { STORE_CONFIG, type StoreConfig, storeProblem, validate } from '../../src/contract';
import { StillpointError } from '../errors';

/** How each kind begins, and what of the place has which name in its settings. */
const SCHEMES: Readonly<Record<string, (place: string, more: URLSearchParams) => Partial<StoreConfig>>> = {
  s3: (bucket, more) => ({
    kind: 's3',
    s3: {
      bucket,
      ...given(more, 'endpoint'),
      ...given(more, 'region'),
      ...(more.has('endpoint') ? { pathStyle: true } : {}),
    },
  }),
  gs: (bucket, more) => ({ kind: 'gcs', gcs: { bucket, ...given(more, 'endpoint') } }),
  azure: (container, more) => ({
    kind: 'azure',
    azure: { container, ...given(more, 'account'), ...given(more, 'endpoint') },
  }),
  swift: (container, more) => ({ kind: 'swift', swift: { container, ...given(more, 'region') } }),
};

/** The parameters that a location of each kind may have behind its `?`. */
const PARAMETERS: Readonly<Record<string, readonly string[]>> = {
  s3: ['endpoint', 'region', 'credentials'],
  gs: ['endpoint', 'credentials'],
  azure: ['endpoint', 'account', 'credentials'],
  swift: ['region', 'credentials'],
  // Who may use a folder, the machine says.
  file: [],
};

function given<K extends 'endpoint' | 'region' | 'account'>(
  more: URLSearchParams,
  name: K,
): { readonly [N in K]?: string } {
  const value = more.get(name);
  return value === null ? {} : ({ [name]: value } as { readonly [N in K]: string });
}

/**
 * Reads `<scheme>://<bucket>/<prefix>`, or `file:///folder`. Credentials are those of this machine, or the files of the folder that
 * `?credentials=` names. Throws usage-invalid.
 */
export function storeAt(location: string): StoreConfig {
  const [, scheme = '', place = '', path = '', query = ''] =
    /^([a-z0-9]+):\/\/([^/?]*)([^?]*)(?:\?(.*))?$/.exec(location) ?? [];
  const more = new URLSearchParams(query);
  const known = Object.hasOwn(PARAMETERS, scheme) ? PARAMETERS[scheme] : undefined;
  const unknown = [...more.keys()].find((name) => known?.includes(name) === false);
  if (unknown !== undefined) throw misnamed(location, `has a parameter ${unknown}, which ${scheme}:// does not take`);
  if (scheme === 'file' && place === '' && path.startsWith('/')) return { kind: 'directory', directory: { path } };
  const settings = Object.hasOwn(SCHEMES, scheme) ? SCHEMES[scheme]?.(place, more) : undefined;
  if (settings === undefined)
    throw misnamed(location, 'begins with none of s3://, gs://, azure://, swift:// and file:///');
  const prefix = path.replace(/^\/+|\/+$/g, '');
  const credentials = more.get('credentials');
  const config = {
    ...settings,
    ...(prefix === '' ? {} : { prefix }),
    ...(credentials === null ? {} : { credentialsDirectory: credentials }),
  } as StoreConfig;
  const [problem] = validate(STORE_CONFIG, config);
  const why = problem === undefined ? storeProblem(config) : `: ${problem.path} ${problem.message}`;
  if (why !== undefined) throw misnamed(location, why);
  return config;
}

function misnamed(location: string, why: string): StillpointError {
  return new StillpointError('usage-invalid', `${location} names no store: it ${why}`.replace(': it :', ':'), {
    hint: 'as s3://backups/prod, s3://backups?endpoint=https://minio:9000, gs://backups, azure://backups?account=shop or file:///mnt/backups',
  });
}
