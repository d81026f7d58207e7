/** Turns at the snapshot controller: Leases that the registry's chart has made. */
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../../runner/clock';
import type { KubeClient } from '../../../runner/kube/client';
import { LEASES } from '../../../runner/kube/objects';
import { KubernetesSlots, type KubernetesSlotsOptions } from '../../../runner/kube/slots';
import type { Slots } from '../../../runner/ports';
import { type AccessRequest, backupAccess, slotName } from '../../../src/contract';
import { apply, KINDS, patch, read } from '../harness/cluster';
import { makeNamespace, type TestNamespace } from '../harness/namespace';
import { eventually } from '../harness/wait';
import { makeAccount } from './account';
import { connect, keptLog } from './fixture';

const log = keptLog();

const NOTHING: Omit<AccessRequest, 'slots' | 'registryNamespace'> = {
  claims: ['data'],
  byLabel: false,
  byPod: false,
  snapshotClasses: ['disk'],
  groupClasses: [],
  directCut: false,
  lease: 'stillpoint-orders-db',
  clusterScope: false,
};
const never = new AbortController().signal;

let client: KubeClient;
let space: TestNamespace;

beforeAll(async () => {
  client = await connect();
});
afterEach(() => space[Symbol.asyncDispose]());

async function makeSlots(count: number): Promise<void> {
  space = await makeNamespace('slots');
  for (let index = 0; index < count; index++) {
    await apply([{ ...KINDS.lease, metadata: { name: slotName(index), namespace: space.name } }]);
  }
}

const slotsFor = (holder: string, more: Partial<KubernetesSlotsOptions> = {}, as = client): Slots =>
  new KubernetesSlots(as, {
    namespace: space.name,
    count: 1,
    limitMs: 60_000,
    clock: systemClock,
    log,
    holder,
    ...more,
  });
const holderOf = async (index = 0): Promise<string | undefined> =>
  (await read(KINDS.lease, slotName(index), space.name))?.spec?.holderIdentity;

describe('a turn', () => {
  test('that nobody has is had at once, in two requests, and given back in one', async () => {
    await makeSlots(1);
    const before = client.requestCount;
    const slot = await slotsFor('one').take(never);
    expect(client.requestCount - before).toBe(2);
    expect(await holderOf()).toBe('one');
    await slot?.release(0);
    expect(client.requestCount - before).toBe(3);
    expect(await holderOf()).toBeUndefined();
  });

  test('is waited for until the one before has rested, and nothing is asked meanwhile', async () => {
    await makeSlots(1);
    const first = await slotsFor('one').take(never);
    // With no other rights than a policy's account has.
    const needs = backupAccess({ ...NOTHING, slots: 1, registryNamespace: space.name });
    await using account = await makeAccount(space.name, needs);
    const waiting = account.client;
    let had = false;
    const second = slotsFor('two', {}, waiting)
      .take(never)
      .then((slot) => {
        had = true;
        return slot;
      });
    await eventually('the second waits', async () => log.lines.some((line) => line.includes('nothing is frozen')));
    const began = performance.now();
    const released = first?.release(2_000);
    // One look, a list, a watch and the claim: however long it takes.
    const slot = await second;
    expect(performance.now() - began).toBeGreaterThan(1_900);
    expect(performance.now() - began).toBeLessThan(4_000);
    expect(had).toBe(true);
    await released;
    expect(await holderOf()).toBe('two');
    expect(waiting.requestCount).toBeLessThanOrEqual(5);
    await slot?.release(0);
  });

  test('goes round among many, one at a time', async () => {
    await makeSlots(1);
    const take = async (holder: string): Promise<void> => {
      const slot = await slotsFor(holder).take(never);
      expect(await holderOf()).toBe(holder);
      await slot?.release(100);
    };
    await Promise.all(Array.from({ length: 8 }, (_, index) => take(`holder-${index}`)));
    const lease = await client.get(LEASES, { name: slotName(0), namespace: space.name });
    expect(lease?.spec?.leaseTransitions).toBe(8);
  });

  test('of several is had by as many at a time', async () => {
    await makeSlots(2);
    const [one, two] = [
      await slotsFor('one', { count: 2 }).take(never),
      await slotsFor('two', { count: 2 }).take(never),
    ];
    expect([await holderOf(0), await holderOf(1)].sort()).toEqual(['one', 'two']);
    await Promise.all([one?.release(0), two?.release(0)]);
  });

  test('of a holder that is gone is taken over when its time is up', async () => {
    await makeSlots(1);
    // What a killed runner leaves: a Lease that nobody renews.
    const spec = { holderIdentity: 'gone', leaseDurationSeconds: 3, renewTime: '2099-01-01T00:00:00.000000Z' };
    await patch(KINDS.lease, slotName(0), space.name, { spec });
    const began = performance.now();
    const slot = await slotsFor('next').take(never);
    expect(performance.now() - began).toBeGreaterThan(2_900);
    expect(await holderOf()).toBe('next');
    await slot?.release(0);
  });

  test("is had back at once by a Job's next pod", async () => {
    await makeSlots(1);
    await patch(KINDS.lease, slotName(0), space.name, { spec: { holderIdentity: 'job', leaseDurationSeconds: 60 } });
    const slot = await slotsFor('job').take(never);
    await slot?.release(0);
    expect(await holderOf()).toBeUndefined();
  });

  test('that does not come in time is an error that says so', async () => {
    await makeSlots(1);
    const first = await slotsFor('one').take(never);
    await expect(slotsFor('two', { limitMs: 1_000 }).take(never)).rejects.toMatchObject({
      code: 'controller-busy',
      exitCode: 6,
      message: `other backups have kept lease ${space.name}/stillpoint-slot-0 for 1 s`,
    });
    await first?.release(0);
  });

  test('is not waited for in a registry that has none', async () => {
    await makeSlots(0);
    expect(await slotsFor('one').take(never)).toBeUndefined();
  });
});
