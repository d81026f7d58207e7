/** Who is a member of a backup, what it is called, and which volumes are its. */
import { describe, expect, it } from 'vitest';
import type { Engine, EngineSession, Plan, PlanRequest } from '../../runner/engine';
import { refuseOnErrors } from '../../runner/findings';
import type { MemberSource } from '../../runner/member';
import type { Finding, Platform, ServerPlace, SnapshotStore } from '../../runner/ports';
import { type PreflightContext, preflight } from '../../runner/preflight';
import type { SnapshotConfig, VolumeSelection } from '../../src/contract';
import { FakeClock } from '../support/fake-clock';
import { QuietLog } from '../support/quiet-log';

/** The pods of the scene, by their address. */
const PODS: Readonly<Record<string, string>> = { '10.0.0.1': 'cache-0', '10.0.0.2': 'cache-1', '10.0.0.3': 'orders-0' };

class Scene {
  readonly closed: string[] = [];
  readonly asked: PlanRequest[] = [];
  plan: Partial<Plan> = {};
  findings: readonly Finding[] = [];

  readonly platform: Partial<Platform> = {
    checkAccess: async () => [],
    resolveVolumes: async (selections: readonly VolumeSelection[]) =>
      selections.map(({ name, role, claim = '' }) => ({ name, role, claim, namespace: 'shop' })),
    placeOf: async (address): Promise<ServerPlace | undefined> => {
      const pod = PODS[address ?? ''];
      if (pod === undefined) return undefined;
      const mounts = [{ path: '/data', volume: 'data', claim: `data-${pod}` }];
      return { uid: pod, name: `pod shop/${pod}`, mounts, workload: { pod } };
    },
  };

  /** A database whose servers are at the given addresses. */
  source(name: string, addresses: readonly string[], volumes: readonly VolumeSelection[] = BY_POD): MemberSource {
    const sessions = addresses.map((address) => this.#session(address));
    const [first, ...others] = sessions;
    const engine: Partial<Engine> = {
      name: 'redis',
      capabilities: { freezeOutlivesSession: false, mayBeOffline: false, hasServer: true, startsAlone: true },
      open: async () => ({ ...first, others: async () => others }) as EngineSession,
    };
    const config = { engine: 'redis', connection: { host: name, port: 1, usernameFile: '' }, volumes } as const;
    return { name, config, engine: engine as Engine, readTarget: async () => ({}) as never };
  }

  async run(...sources: readonly MemberSource[]): Promise<Awaited<ReturnType<typeof preflight>>> {
    const context: PreflightContext = {
      config: { spec: { database: 'shop', snapshots: {} } } as SnapshotConfig,
      sources,
      platform: this.platform as Platform,
      store: { atomic: true, check: async () => [] } as unknown as SnapshotStore,
      clock: new FakeClock(),
      log: new QuietLog(),
      signal: new AbortController().signal,
    };
    return await preflight(context, '20260101000000');
  }

  #session(address: string): EngineSession {
    return {
      server: { address, version: '8', identity: {}, settings: {} },
      paths: async () => [{ role: 'data', what: 'dir', path: '/data' }],
      check: async (request) => {
        this.asked.push(request);
        return this.findings;
      },
      plan: ({ volumes }) => ({
        layout: 'atomic',
        freezes: 'writes',
        statement: 'it held',
        steps: [{ kind: 'cut', volumes: volumes.map(({ name }) => name), how: 'individually' }],
        observe: async () => ({}),
        thaw: async () => undefined,
        results: () => ({ position: {}, artifacts: {}, warnings: [] }),
        ...this.plan,
      }),
      whoAnswers: async () => ({}),
      lost: new AbortController().signal,
      close: async () => void this.closed.push(address),
    };
  }
}

const BY_POD: readonly VolumeSelection[] = [{ name: 'data', role: 'data', podVolume: 'data' }];
const named = (...claims: readonly string[]): readonly VolumeSelection[] =>
  claims.map((claim, index) => ({ name: `data${index}`, role: 'data', claim }));

const names = ({ members }: Awaited<ReturnType<typeof preflight>>): readonly string[] =>
  members.map(
    ({ name, volumes }) => `${name}: ${volumes.map((volume) => `${volume.name} ${volume.claim}`).join(', ')}`,
  );

describe('the members of a backup', () => {
  it('are one without a name where there is one database of one server: its volumes are called as the policy does', async () => {
    const scene = new Scene();
    const found = await scene.run(scene.source('', ['10.0.0.1']));
    expect(names(found)).toEqual([': data data-cache-0']);
    expect(found.merged).toBeUndefined();
    expect(scene.asked[0]?.standstill).toBe(false);
    expect(found.volumes[0]).not.toHaveProperty('member');
  });

  it('of a cluster are called by their pods, each with the volume of its own', async () => {
    const scene = new Scene();
    const found = await scene.run(scene.source('', ['10.0.0.1', '10.0.0.2']));
    expect(names(found)).toEqual(['cache-0: data-cache-0 data-cache-0', 'cache-1: data-cache-1 data-cache-1']);
    expect(found.merged).toBeDefined();
    expect(scene.asked.map(({ standstill }) => standstill)).toEqual([true, true]);
    expect(found.plan?.steps).toEqual([
      { kind: 'cut', volumes: ['data-cache-0', 'data-cache-1'], how: 'individually' },
    ]);
  });

  it('of a group are called as there, and a cluster among them by its pods', async () => {
    const scene = new Scene();
    const found = await scene.run(
      scene.source('orders', ['10.0.0.3']),
      scene.source('cache', ['10.0.0.1', '10.0.0.2']),
    );
    expect(names(found)).toEqual([
      'orders: data-orders data-orders-0',
      'cache-0: data-cache-0 data-cache-0',
      'cache-1: data-cache-1 data-cache-1',
    ]);
  });

  it('have the claims that the policy names, each the one that its pod mounts', async () => {
    const scene = new Scene();
    const volumes = named('data-cache-1', 'data-cache-0');
    const found = await scene.run(scene.source('', ['10.0.0.1', '10.0.0.2'], volumes));
    expect(names(found)).toEqual(['cache-0: data1-cache-0 data-cache-0', 'cache-1: data0-cache-1 data-cache-1']);
  });

  it('do not leave a named claim to nobody', async () => {
    const scene = new Scene();
    const volumes = named('data-cache-0', 'data-cache-1', 'data-cache-7');
    await expect(scene.run(scene.source('', ['10.0.0.1', '10.0.0.2'], volumes))).rejects.toMatchObject({
      code: 'volume-mismatch',
      message: 'none of pod shop/cache-0, pod shop/cache-1 mounts claim data-cache-7 (volume data2)',
    });
    expect(scene.closed).toEqual(['10.0.0.1', '10.0.0.2']);
  });

  it('have each a name of their own', async () => {
    const scene = new Scene();
    const sources = [scene.source('cache-0', ['10.0.0.3']), scene.source('cache', ['10.0.0.1', '10.0.0.2'])];
    await expect(scene.run(...sources)).rejects.toMatchObject({
      code: 'config-invalid',
      message: 'two servers of the backup are called cache-0',
    });
  });

  it('do not share a claim', async () => {
    const scene = new Scene();
    await expect(scene.run(scene.source('a', ['10.0.0.1']), scene.source('b', ['10.0.0.1']))).rejects.toMatchObject({
      code: 'config-invalid',
      message: 'claim data-cache-0 is selected twice by the policy',
    });
    expect(scene.closed).toHaveLength(2);
  });

  it('have names that a label can hold', async () => {
    const scene = new Scene();
    const long = 'a'.repeat(60);
    await expect(scene.run(scene.source(long, ['10.0.0.1']))).rejects.toMatchObject({ code: 'config-invalid' });
  });

  it.each<[string, Partial<Plan>]>([
    ['lets writes go on', { freezes: 'table-definitions' }],
    ['cuts in several steps', { steps: [1, 2].map(() => ({ kind: 'cut', volumes: [], how: 'individually' })) }],
  ])('are refused where one of several %s', async (_, plan) => {
    const scene = new Scene();
    scene.plan = plan;
    const found = await scene.run(scene.source('a', ['10.0.0.1']), scene.source('b', ['10.0.0.3']));
    expect(found.plan).toBeUndefined();
    expect(() => refuseOnErrors(found.findings)).toThrow(/^what is planned for a \(atomic\) holds still/);
  });

  it('say whose finding it is', async () => {
    const scene = new Scene();
    scene.findings = [{ severity: 'error', code: 'server-unsafe', subject: 'server', message: 'no' }];
    const found = await scene.run(scene.source('orders', ['10.0.0.3']));
    expect(found.findings.map(({ subject }) => subject)).toContain('orders: server');
    expect(found.plan).toBeUndefined();
  });
});
