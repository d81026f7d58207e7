/**
 * The contract of all engines, third part: what the checks refuse, and what goes wrong in the middle of a backup. Each has
 * a code of its own, an exit code, a message that names the object, and leaves nothing behind.
 */
import { isDeepStrictEqual } from 'node:util';
import { BackupVolume } from 'stillpoint';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Target } from '../../runner/engine';
import { QuietLog } from '../support/quiet-log';
import { casesFor, ENGINES, has } from './engines';
import type { Face, TestServer } from './engines/adapter';
import { Servers } from './engines/servers';
import { expectTold } from './engines/told';
import { attemptBackup, attemptEnd } from './harness/backup';
import { type Anything, apply, KINDS, list, patch, read, remove } from './harness/cluster';
import { openGate } from './harness/gate';
import { nthPod, startBackup, type TestJob } from './harness/job';
import { uniqueName } from './harness/namespace';
import type { TestPolicy } from './harness/policy';
import { slowClass } from './harness/registry';
import { runnerProcess } from './harness/runner-process';
import { thisRun } from './harness/this-run';
import { eventually } from './harness/wait';

const ROLE = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role' } as const;
const SERVICE = { apiVersion: 'v1', kind: 'Service' } as const;

// Engines side by side, the tests of each one after the other: they share its servers.
describe.concurrent.each(ENGINES)('$title', (adapter) => {
  const [mode] = adapter.modes;
  const policyOf = (server: TestServer, options: Parameters<TestServer['policy']>[1]): Promise<TestPolicy> =>
    server.policy(mode, options);
  let servers: Servers;
  let server: TestServer;

  beforeAll(async () => {
    servers = await Servers.in(adapter, 'refused');
    server = await servers.of(mode);
  });
  afterAll(() => servers[Symbol.asyncDispose]());

  const refusals = {
    'a wrong password': async () => {
      const credentials = 'wrong';
      const metadata = { name: credentials, namespace: servers.namespace };
      const stringData = { username: 'stillpoint', password: 'guessed' };
      await apply([{ apiVersion: 'v1', kind: 'Secret', metadata, stringData } as Anything]);
      const policy = await policyOf(server, { name: 'password', credentials });
      const end = await attemptBackup(policy);
      await expectTold(end, { server, policy }, 'authentication-failed', 3);
      expect(JSON.stringify([end.pod.log, end.record])).not.toContain('guessed');
    },
    'a right that is missing at the server': async (skip: (why: string) => never) => {
      const { withoutRight } = server.unmet ?? {};
      if (withoutRight !== undefined) return skip(withoutRight);
      const right = await server.withoutRight();
      const policy = await policyOf(server, { name: 'privilege' });
      const end = await attemptBackup(policy).finally(() => right.end());
      await expectTold(end, { server, policy }, 'privilege-missing', 3);
    },
    'a server that is not there': async () => {
      const policy = await policyOf(server, { name: 'nowhere', host: 'nobody-home' });
      const end = await attemptBackup(policy);
      await expectTold(end, { server, policy }, 'server-unreachable', 3);
      expect(end.error?.message).toContain('nobody-home');
    },
    'rule 3: a host that leads to a server whose files lie elsewhere': async () => {
      const other = await servers.of(mode, 'other-db');
      // By its name, also where a policy would take the claims of whatever pod answers.
      const volumes = [BackupVolume.fromClaimName(server.claims.data ?? '')];
      const policy = await policyOf(server, { name: 'elsewhere', host: other.name, volumes });
      const end = await attemptBackup(policy);
      await expectTold(end, { server, policy }, 'volume-mismatch', 3);
      expect(end.error?.message).toContain(other.claims.data);
    },
    'a claim that is missing': async () => {
      const policy = await policyOf(server, {
        name: 'claim',
        volumes: [BackupVolume.fromClaimName('data-nobody-0')],
      });
      const end = await attemptBackup(policy);
      await expectTold(end, { server, policy }, 'claim-not-found', 3);
      expect(end.error?.message).toContain('data-nobody-0');
    },
    'a class that is missing': async () => {
      const policy = await policyOf(server, { name: 'class', className: 'no-such-class' });
      const end = await attemptBackup(policy);
      await expectTold(end, { server, policy }, 'class-not-found', 3);
      expect(end.error?.message).toContain('no-such-class');
    },
    'rights in the cluster that are missing': async () => {
      const policy = await policyOf(server, { name: 'rights' });
      await withoutSnapshotRights(policy);
      const end = await attemptBackup(policy);
      await expectTold(end, { server, policy }, 'permission-missing', 3);
      expect(end.error?.message).toContain('volumesnapshots');
    },
    'a second backup while one is at work': async () => {
      const policy = await policyOf(server, { name: 'twice' });
      const { job: first, allow, ...stopped } = await untilFirstSnapshot(policy);
      await using _gate = stopped;
      const second = await attemptBackup(policy);
      expect(second.pod.exitCode).toBe(6);
      expect(second.error, JSON.stringify(second.pod.log)).toMatchObject({ code: 'backup-in-progress' });
      expect(second.record).toBeUndefined();
      allow();
      expect((await attemptEnd(policy, first)).record).toMatchObject({ phase: 'succeeded' });
    },
  };
  type Case = keyof typeof refusals;
  const needs: Partial<Record<Case, Face>> = {
    'a wrong password': 'login',
    'a right that is missing at the server': 'rights',
    'a server that is not there': 'host',
    'rule 3: a host that leads to a server whose files lie elsewhere': 'host',
    'a claim that is missing': 'host',
  };
  const all = Object.keys(refusals) as Case[];
  const cases = casesFor(adapter, all, all.slice(0, 4)).filter((name) => {
    const face = needs[name];
    return face === undefined || has(adapter, face);
  });
  // An engine may have a part in none of them.
  describe.runIf(cases.length > 0)('rule 2: refused before anything is touched', { concurrent: false }, () => {
    test.for(cases)('%s', async (name, { skip }) => await refusals[name](skip));
  });

  describe('in the middle of a backup', { concurrent: false }, () => {
    test.runIf(has(adapter, 'host'))(
      'rule 3: a failover: the host leads to another server than the one whose claims are cut',
      async () => {
        const other = await servers.of(mode, 'other-db');
        const policy = await policyOf(server, { name: 'failover' });
        const { job, allow, ...stopped } = await untilFirstSnapshot(policy);
        await using _gate = stopped;
        const end = attemptEnd(policy, job);
        await leadTo(server, other);
        try {
          allow();
          await expectTold(await end, { server, policy }, 'server-changed', 4);
        } finally {
          await leadTo(server, server);
        }
      },
    );

    test('rule 8: SIGTERM: the database is let go, and what was asked for is removed', async () => {
      const policy = await policyOf(server, { name: 'stopped', className: slowClass(thisRun.registry) });
      const { job, allow, ...stopped } = await untilFirstSnapshot(policy);
      await using _gate = stopped;
      const end = attemptEnd(policy, job);
      allow();
      (await runnerProcess(await nthPod(job), servers.namespace)).terminate();
      await expectTold(await end, { server, policy }, 'interrupted', 4);
    });

    // Last: it takes the server a while to come back.
    test.runIf(has(adapter, 'session'))(
      'rule 6: the server is gone: its session is lost, and there is no backup',
      async () => {
        const policy = await policyOf(server, { name: uniqueName('gone'), className: slowClass(thisRun.registry) });
        const { job, allow, ...stopped } = await untilFirstSnapshot(policy);
        await using _gate = stopped;
        const end = attemptEnd(policy, job);
        allow();
        const before = await read(KINDS.pod, server.pod, servers.namespace);
        await remove(KINDS.pod, server.pod, servers.namespace, 0);
        const ended = await end;
        await eventually('the server is back', async () => {
          const pod = await read(KINDS.pod, server.pod, servers.namespace);
          return pod?.metadata?.uid !== before?.metadata?.uid && pod?.status?.containerStatuses?.[0]?.ready === true;
        });
        // Where there is a guard, it may notice before the runner that nobody could undo the freeze any more.
        const code = ended.error?.code === 'guard-acted' ? 'guard-acted' : 'session-lost';
        await expectTold(ended, { server, policy }, code, 4);
      },
    );
  });

  /** Starts a backup and stops it at the door with its first snapshot. */
  async function untilFirstSnapshot(policy: TestPolicy): Promise<AsyncDisposable & { job: TestJob; allow(): void }> {
    const gate = await openGate(servers.namespace);
    const held = gate.hold(
      ({ resource, operation, name }) =>
        resource === 'volumesnapshots' && operation === 'CREATE' && name.startsWith(`${policy.database}-`),
    );
    const job = await startBackup(policy);
    const { allow } = await held;
    return { job, allow, [Symbol.asyncDispose]: () => gate[Symbol.asyncDispose]() };
  }

  /** Leads the Service of a server to a pod of another, and waits until it does: the nodes' tables are a while behind. */
  async function leadTo({ name, namespace }: TestServer, to: TestServer): Promise<void> {
    await patch(SERVICE, name, namespace, { spec: { selector: { app: to.name } } });
    const direct = await to.target();
    const host: string = (await read(SERVICE, name, namespace))?.spec.clusterIP;
    const through: Target = { ...direct, connection: { ...direct.connection, host } };
    await eventually(`the Service leads to ${to.name}`, async () =>
      isDeepStrictEqual(await identityAt(through), await identityAt(direct)),
    );
  }

  /** Who answers there, by the server's own word. */
  async function identityAt(target: Target): Promise<Readonly<Record<string, string>>> {
    const session = await adapter.engine.open(target, new QuietLog(), AbortSignal.timeout(10_000));
    return await session.close().then(() => session.server.identity);
  }
});

/** Takes from a policy's account what it may do with snapshots. */
async function withoutSnapshotRights({ name, namespace }: TestPolicy): Promise<void> {
  for (const { metadata, rules } of await list(ROLE, namespace)) {
    if (!metadata?.name?.startsWith(name)) continue;
    const left = rules.filter(({ resources }: { resources: string[] }) => !resources.includes('volumesnapshots'));
    await patch(ROLE, metadata.name, namespace, { rules: left });
  }
}
