import { describe, expect, it } from 'vitest';
import { type ClonePlan, type CloneWishes, planClone } from '../../../runner/clone/plan';
import { commandOf } from '../../../runner/engines/redis/copy';
import { bookDiffers, infoOf, newBook, stageEntry, stageOf } from '../../../runner/kube/clone/book';
import { isolationFindings, type Surroundings } from '../../../runner/kube/clone/isolation';
import {
  loginFiles,
  loginSecret,
  networkPolicyOf,
  passwordIn,
  podLabels,
  statefulSetOf,
} from '../../../runner/kube/clone/manifests';
import { record } from '../../support/record';

const original = record({
  runnerImage: 'stillpoint:1',
  volumes: [{ name: 'data', role: 'data', claim: 'data-orders-db-0', mountPath: '/data', capacity: '1Gi' }],
  cuts: [
    {
      volume: 'data',
      snapshot: 's',
      seenBy: 'creationTime',
      driverKnown: true,
      askedAt: '2026-01-01T02:00:02Z',
      seenAt: '2026-01-01T02:00:03Z',
    },
  ],
  workload: {
    image: 'postgres:17',
    podSecurity: { runAsUser: 999, fsGroup: 999 },
    spec: {
      selector: { matchLabels: { app: 'orders-db' } },
      template: {
        metadata: { labels: { app: 'orders-db' } },
        spec: {
          nodeSelector: { disk: 'fast' },
          containers: [{ name: 'postgres', image: 'postgres:17', resources: { limits: { memory: '1Gi' } } }],
        },
      },
    },
  },
});
const plan = (wishes: Partial<CloneWishes> = {}): ClonePlan =>
  planClone(original, { to: 'copy', workload: true, sizes: [], ...wishes });
const prepared = { dataPath: '/data/pgdata', uid: 999, gid: 999, done: [] };
const server = { command: ['postgres'], port: 5432, files: { 'init.sql': 'hush' }, username: 'postgres' };

describe('the plan of a clone', () => {
  it('is a restore under the name of the clone, and of its generation where it replaces another', () => {
    expect(plan().restore).toMatchObject({ name: 'copy', namespace: 'shop', volumes: [{ claim: 'copy' }] });
    expect(plan({ generation: '3fa91c02' })).toMatchObject({ name: 'copy-3fa91c02', series: 'copy' });
  });

  it.each(['Copy', '1copy', 'a.b', '', 'a'.repeat(53)])('refuses the name %j', (to) => {
    expect(() => plan({ to })).toThrow(/is no name for a clone/);
  });
});

describe('the server of a clone', () => {
  const { spec } = statefulSetOf(plan(), prepared, server);

  it('carries no label of the original, and takes its place, size and image from it', () => {
    expect(
      Object.keys(podLabels(plan())).filter((name) => !/^(stillpoint\.dev|app\.kubernetes\.io)\//.test(name)),
    ).toEqual([]);
    expect(spec.template?.spec).toMatchObject({
      nodeSelector: { disk: 'fast' },
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, runAsUser: 999, supplementalGroups: [999] },
      containers: [{ image: 'postgres:17', resources: { limits: { memory: '1Gi' } } }],
    });
  });

  it('has no password in its manifest', () => {
    expect(JSON.stringify(spec)).not.toMatch(/hush|aHVzaA/);
    const login = loginSecret(plan(), 'pass');
    expect(passwordIn({ ...login })).toBe('pass');
    expect(loginFiles(server).data).toMatchObject({ username: 'cG9zdGdyZXM=', 'init.sql': 'aHVzaA==' });
  });

  it('is let out for names alone', () => {
    const { egress, policyTypes } = networkPolicyOf(plan()).spec;
    expect(policyTypes).toContain('Egress');
    expect(JSON.stringify(egress)).toBe(
      '[{"to":[{"namespaceSelector":{}}],"ports":[{"protocol":"UDP","port":53},{"protocol":"TCP","port":53}]}]',
    );
  });
});

describe('what stands around a clone', () => {
  const none: Surroundings = { services: [], budgets: [], policies: [] };
  const labels = { a: '1', b: '2' };
  const metadata = { name: 'x' };

  it.each<[string, Partial<Surroundings>, readonly string[]]>([
    ['a Service of another selector', { services: [{ metadata, spec: { selector: { a: '1', c: '3' } } }] }, []],
    [
      'a Service without a selector',
      {
        services: [
          { metadata, spec: {} },
          { metadata, spec: { selector: {} } },
        ],
      },
      [],
    ],
    ['a Service that selects it', { services: [{ metadata, spec: { selector: { a: '1' } } }] }, ['error']],
    ['a budget for all pods', { budgets: [{ metadata, spec: { selector: {} } }] }, ['warning']],
    [
      'a budget of others',
      {
        budgets: [
          { metadata, spec: { selector: { matchExpressions: [{ key: 'a', operator: 'NotIn', values: ['1'] }] } } },
        ],
      },
      [],
    ],
    [
      'a policy that lets nobody out',
      { policies: [{ metadata, spec: { podSelector: {}, policyTypes: ['Egress'] } }] },
      [],
    ],
    ['a policy that lets all out', { policies: [{ metadata, spec: { podSelector: {}, egress: [{}] } }] }, ['warning']],
    [
      'a policy for traffic in',
      { policies: [{ metadata, spec: { podSelector: {}, policyTypes: ['Ingress'], egress: [{}] } }] },
      [],
    ],
  ])('%s', (_, surroundings, severities) => {
    const found = isolationFindings(labels, { ...none, ...surroundings });
    expect(found.map(({ severity }) => severity)).toEqual(severities);
  });
});

describe('the book of a clone', () => {
  const book = newBook(plan({ scripts: 'masking' }));

  it('tells how far it has come, and of what it is', () => {
    expect(stageOf(book)).toBe('making');
    expect(stageOf({ ...book, data: { ...book.data, ...stageEntry('prepared').data } })).toBe('prepared');
    expect(infoOf(book)).toMatchObject({ name: 'copy', backup: 'shop/orders-db/20260101020000', workload: true });
  });

  it('tells one clone from another', () => {
    expect(bookDiffers(book, plan({ scripts: 'masking' }))).toBeUndefined();
    expect(bookDiffers(book, plan())).toBe('with masking');
    expect(bookDiffers(book, plan({ workload: false, scripts: 'masking' }))).toBe('with a server');
  });
});

describe('a line of a script for Redis', () => {
  it.each<[string, readonly string[]]>([
    ['SET a "two words"', ['SET', 'a', 'two words']],
    [`SET a 'it "is"'`, ['SET', 'a', 'it "is"']],
    ['SET a "a \\"quote\\" and \\\\"', ['SET', 'a', 'a "quote" and \\']],
    ['SET a ""', ['SET', 'a', '']],
    ['  # a comment', []],
    ['', []],
  ])('%j', (line, words) => {
    expect(commandOf(line)).toEqual(words);
  });

  it('with a quote that is not closed is refused: half of it would be run', () => {
    expect(() => commandOf('SET a "half')).toThrow(/a quote is not closed/);
  });
});
