import { describe, expect, it } from 'vitest';
import { checkCoverage, mountOf, withMounts } from '../../runner/coverage';
import type { ServerPath } from '../../runner/engine';
import type { Mount, Volume } from '../../runner/ports';

const volume = (name: string, role: Volume['role'], claim: string): Volume => ({
  name,
  role,
  claim,
  namespace: 'shop',
});
const mount = (path: string, claim?: string): Mount => ({ path, claim });
const path = (role: ServerPath['role'], at: string): ServerPath => ({ role, what: `${role} path`, path: at });

const PGDATA = '/var/lib/postgresql/data/pgdata';

interface Case {
  readonly paths: ServerPath[];
  readonly mounts: Mount[];
  readonly volumes: Volume[];
  readonly ignored?: string[];
  readonly expected: string[];
}

const CASES: Readonly<Record<string, Case>> = {
  'everything on the one claim': {
    paths: [path('data', PGDATA), path('log', `${PGDATA}/pg_wal`)],
    mounts: [mount('/var/lib/postgresql/data', 'a')],
    volumes: [volume('data', 'data', 'a')],
    expected: [],
  },
  'another server than the one whose claim the policy names': {
    paths: [path('data', PGDATA)],
    mounts: [mount('/var/lib/postgresql/data', 'data-db-1')],
    volumes: [volume('data', 'data', 'data-db-0')],
    expected: ['error volume-mismatch', 'error volume-mismatch', 'warning volume-not-covered'],
  },
  'data on the file system of the container': {
    paths: [path('data', PGDATA)],
    mounts: [mount('/other', 'a')],
    volumes: [volume('data', 'data', 'a')],
    expected: ['error volume-mismatch', 'error volume-mismatch'],
  },
  'data on an emptyDir inside the claim': {
    paths: [path('data', PGDATA)],
    mounts: [mount('/var/lib/postgresql', 'a'), mount('/var/lib/postgresql/data')],
    volumes: [volume('data', 'data', 'a')],
    expected: ['error volume-mismatch', 'error volume-mismatch'],
  },
  'the log on a claim of its own, as the policy says': {
    paths: [path('data', PGDATA), path('log', '/wal/pg_wal')],
    mounts: [mount('/var/lib/postgresql/data', 'a'), mount('/wal', 'b')],
    volumes: [volume('data', 'data', 'a'), volume('wal', 'log', 'b')],
    expected: [],
  },
  'the log on a claim of its own that the policy has as data': {
    paths: [path('data', PGDATA), path('log', '/wal/pg_wal')],
    mounts: [mount('/var/lib/postgresql/data', 'a'), mount('/wal', 'b')],
    volumes: [volume('data', 'data', 'a'), volume('wal', 'data', 'b')],
    expected: ['error volume-mismatch'],
  },
  'the log on a claim that no policy covers': {
    paths: [path('data', PGDATA), path('log', '/wal/pg_wal')],
    mounts: [mount('/var/lib/postgresql/data', 'a'), mount('/wal', 'b')],
    volumes: [volume('data', 'data', 'a')],
    expected: ['error volume-mismatch', 'warning volume-not-covered'],
  },
  'a claim beside the database that nobody backs up': {
    paths: [path('data', PGDATA)],
    mounts: [mount('/var/lib/postgresql/data', 'a'), mount('/uploads', 'u')],
    volumes: [volume('data', 'data', 'a')],
    expected: ['warning volume-not-covered'],
  },
  'a claim that nobody backs up, where the log cannot be seen': {
    paths: [path('data', PGDATA), { role: 'log', what: 'pg_wal', path: undefined }],
    mounts: [mount('/var/lib/postgresql/data', 'a'), mount('/wal', 'b')],
    volumes: [volume('data', 'data', 'a')],
    expected: ['error volume-not-covered'],
  },
  'claims that nobody backs up, of which one was too deep to be searched for the log': {
    paths: [
      path('data', PGDATA),
      { role: 'log', what: 'pg_wal', path: `${PGDATA}/pg_wal`, unsearched: ['/wal', '/var/lib/postgresql/data'] },
    ],
    mounts: [mount('/var/lib/postgresql/data', 'a'), mount('/wal', 'b'), mount('/uploads', 'u')],
    volumes: [volume('data', 'data', 'a')],
    expected: ['error volume-not-covered', 'warning volume-not-covered'],
  },
  'a volume for a log that cannot be seen': {
    paths: [path('data', PGDATA), { role: 'log', what: 'pg_wal', path: undefined }],
    mounts: [mount('/var/lib/postgresql/data', 'a'), mount('/wal', 'b')],
    volumes: [volume('data', 'data', 'a'), volume('wal', 'log', 'b')],
    expected: [],
  },
  'a claim beside the database that the policy ignores on purpose': {
    paths: [path('data', PGDATA)],
    mounts: [mount('/var/lib/postgresql/data', 'a'), mount('/uploads', 'u')],
    volumes: [volume('data', 'data', 'a')],
    ignored: ['u'],
    expected: [],
  },
};

describe('rule 3: the paths of the server lie on the claims of the plan', () => {
  it.each(Object.entries(CASES))('%s', (_, { expected, ignored = [], ...input }) => {
    const findings = checkCoverage({ place: 'pod shop/db-0', ignored, ...input });
    const problems = findings.filter(({ severity }) => severity !== 'ok');
    expect(problems.map(({ severity, code }) => `${severity} ${code}`)).toEqual(expected);
  });

  it('names the server, the path and the claim', () => {
    const [finding] = checkCoverage({
      place: 'pod shop/db-1',
      paths: [path('data', '/data')],
      mounts: [mount('/data', 'data-db-1')],
      volumes: [volume('data', 'data', 'data-db-0')],
      ignored: [],
    });
    expect(finding?.message).toBe(
      'data path /data of pod shop/db-1 lies on claim data-db-1, which is not among the volumes of the policy (data-db-0)',
    );
  });
});

describe('mountOf', () => {
  it.each([
    ['/data', '/data', true],
    ['/data/pg', '/data', true],
    ['/database', '/data', false],
    ['/data', '/', true],
    ['/data', '/data/', true],
  ])('%s under %s: %s', (at, folder, found) => {
    expect(mountOf(at, [mount(folder, 'a')]) !== undefined).toBe(found);
  });

  it('takes the longest', () => {
    expect(mountOf('/a/b/c', [mount('/', 'x'), mount('/a/b', 'z'), mount('/a', 'y')])?.claim).toBe('z');
  });
});

describe('withMounts', () => {
  it('keeps where the server had a volume, for the restore', () => {
    const [first] = withMounts([volume('data', 'data', 'a')], [{ path: '/data', claim: 'a', subPath: 'pg' }]);
    expect(first).toMatchObject({ mountPath: '/data', subPath: 'pg' });
  });
});
