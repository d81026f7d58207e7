/** A copy that is there already: what check says of its bytes, and doctor of it and of the next. */
import { readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../runner/clock';
import { check } from '../../../runner/commands/check';
import { doctorCopy } from '../../../runner/commands/doctor-copy';
import type { DirectoryRegistry } from '../../../runner/registry/directory';
import type { QuietLog } from '../../support/quiet-log';
import { Copies, FOLDER, type Situation, snapshots } from './copy-fixture';

let copies: Copies;
let folder: string;
let registry: DirectoryRegistry;
let log: QuietLog;
beforeEach(async () => {
  copies = await Copies.create();
  ({ folder, registry, log } = copies);
});
afterEach(() => copies[Symbol.asyncDispose]());

describe('a copy that is looked at', () => {
  const checked = () =>
    check(
      {
        ...{ registry, openStore: copies.opened, readIdentities: async () => undefined, clock: systemClock, log },
        signal: new AbortController().signal,
      },
      'shop/orders-copy/latest',
      {},
    );

  test.each(['files.tar', 'manifest.jsonl'])('is good, until a byte of its %s is another', async (file) => {
    await registry.create(snapshots());
    const { objects = [] } = (await copies.copying({ copy: { compression: 'none' } })) ?? {};
    expect((await checked()).bytes).toBe(objects.reduce((sum, { bytes }) => sum + bytes, 0));
    const path = join(folder, 'store', FOLDER, file);
    const bytes = readFileSync(path);
    bytes[20] = (bytes[20] ?? 0) ^ 1;
    writeFileSync(path, bytes);
    await expect(checked()).rejects.toMatchObject({ code: 'stream-broken' });
  });

  test('by doctor: what would be copied, whose objects are gone, and who may not read', async () => {
    const told = async (situation: Situation = {}): Promise<readonly string[]> =>
      (await doctorCopy(copies.contextOf(situation))).map(({ severity, message }) => `${severity}: ${message}`);
    expect(await told()).toContain('warning: there is no good backup of shop/orders-db yet: there is nothing to copy');
    await registry.create(snapshots({ workload: { podSecurity: { runAsUser: 70 } } }));
    expect(await told()).toContain('error: the database ran as user 70, and its files would be read as user 999');
    expect(await told({ copy: { runAsUser: 70 } })).toContain('ok: backup 20260101020000 would be copied');
    await copies.copying({ copy: { runAsUser: 70 } });
    expect(await told()).toContain('ok: its newest good backup, 20260101020000, was copied already');
    await rm(join(folder, 'store', FOLDER, 'manifest.jsonl.zst'));
    expect(await told()).toContainEqual(expect.stringMatching(/^warning: .* there is no more .*manifest.jsonl.zst$/));
  });
});
