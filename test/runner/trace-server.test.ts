import { describe, expect, it } from 'vitest';
import type { EngineSession } from '../../runner/engine';
import type { Platform, ServerPlace } from '../../runner/ports';
import { movedFrom, traceServer } from '../../runner/trace';
import type { MemberConfig } from '../../src/contract';

const CONFIG = { connection: { host: 'accounts-db' } } as MemberConfig;
const PLACE: ServerPlace = { uid: 'pod-1', name: 'pod shop/accounts-db-0', mounts: [], workload: {} };

/** A platform that knows one place, found by an address or by the name of a host. */
function platform(place: ServerPlace | undefined): Platform {
  return { placeOf: async () => place } as unknown as Platform;
}

function session(
  server: { readonly address: string | undefined; readonly hostname?: string },
  isAt?: (address: string) => Promise<boolean>,
): EngineSession {
  return { server, ...(isAt === undefined ? {} : { isAt }) } as unknown as EngineSession;
}

describe('rule 3: tracing a server', () => {
  it('takes a place that was found by an address', async () => {
    expect(await traceServer(platform(PLACE), session({ address: '10.0.0.7' }), CONFIG)).toBe(PLACE);
  });

  it('has a place that was found by a name confirmed at its address', async () => {
    const asked: string[] = [];
    const named = { ...PLACE, address: '10.0.0.7' };
    const isAt = async (address: string): Promise<boolean> => asked.push(address) > 0;
    const byName = session({ address: undefined, hostname: 'accounts-db-0' }, isAt);
    expect(await traceServer(platform(named), byName, CONFIG)).toBe(named);
    expect(asked).toEqual(['10.0.0.7']);
  });

  it('refuses a pod of the same name in which another server answers', async () => {
    const named = { ...PLACE, address: '10.0.0.7' };
    const byName = session({ address: undefined, hostname: 'accounts-db-0' }, async () => false);
    await expect(traceServer(platform(named), byName, CONFIG)).rejects.toMatchObject({
      code: 'server-not-traced',
      message:
        'the server behind accounts-db says that its host is accounts-db-0, but in pod shop/accounts-db-0 (10.0.0.7) another answers',
    });
  });

  it.each([
    [{ address: '10.0.0.7' }, 'its address is 10.0.0.7, and no pod there has that address'],
    [{ address: undefined, hostname: 'elsewhere-0' }, 'its host is elsewhere-0, and no pod there has that name'],
    [{ address: undefined }, 'its address is a Unix socket, and no pod there has that address'],
  ])('says what was looked for in vain: %o', async (server, message) => {
    await expect(traceServer(platform(undefined), session(server), CONFIG)).rejects.toMatchObject({
      code: 'server-not-traced',
      message: `the server behind accounts-db says that ${message}`,
    });
  });
});

describe('rule 3: after the last cut a server', () => {
  const place: ServerPlace = {
    ...PLACE,
    container: 'engine',
    running: { engine: 'containerd://1', hooks: 'containerd://2' },
  };

  it.each<[string, Partial<ServerPlace>, string | undefined]>([
    ['runs on', {}, undefined],
    ['runs on, and what stands beside it was started anew', { running: { engine: 'containerd://1' } }, undefined],
    ['runs on, whose container is known only now', { container: 'hooks' }, undefined],
    [
      'is another pod',
      { uid: 'pod-2' },
      'ran in pod shop/accounts-db-0 (pod-1) before the first cut, in pod shop/accounts-db-0 (pod-2)',
    ],
    ['was started anew', { running: { engine: 'containerd://3' } }, 'container engine of pod shop/accounts-db-0'],
    ['does not run', { running: {} }, 'container engine of pod shop/accounts-db-0'],
  ])('%s', (_, change, message) => {
    const moved = movedFrom(place, { ...place, ...change });
    if (message === undefined) expect(moved).toBeUndefined();
    else expect(moved).toContain(message);
  });

  // The kubelet reports late: it may not have said yet that what answers runs, when the server is traced first.
  it.each<[string, Partial<ServerPlace>, Partial<ServerPlace>, boolean]>([
    ['that was not reported as running yet ran on', {}, { starts: { engine: 0 } }, false],
    ['that was not reported as running yet was started anew', {}, { starts: { engine: 1 } }, true],
    ['that was to be started again ran on', { starts: { engine: 3 } }, { starts: { engine: 3 } }, false],
    ['that was to be started again was started once more', { starts: { engine: 3 } }, { starts: { engine: 4 } }, true],
    ['that was never reported as running has ended', {}, { running: {}, starts: { engine: 1 } }, true],
    ['of which nothing was ever reported ran on', {}, { running: {} }, false],
  ])('%s', (_, before, now, anew) => {
    const moved = movedFrom({ ...place, running: {}, ...before }, { ...place, ...now });
    if (anew)
      expect(moved).toContain('container engine of pod shop/accounts-db-0, which the server runs in, was started anew');
    else expect(moved).toBeUndefined();
  });

  it('of no cluster has no container', () => {
    expect(movedFrom(PLACE, PLACE)).toBeUndefined();
  });
});
