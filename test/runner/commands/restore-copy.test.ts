/** The way back from a copy, where nobody ever saw its backup: every file; and why it is refused, or fails. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { DirectoryRegistry } from '../../../runner/registry/directory';
import { record } from '../../support/record';
import { lookAt } from '../archive/tree';
import { Copies, FOLDER, ID, once, snapshots } from './copy-fixture';

let copies: Copies;
let folder: string;
let registry: DirectoryRegistry;
beforeEach(async () => {
  copies = await Copies.create();
  ({ folder, registry } = copies);
});
afterEach(() => copies[Symbol.asyncDispose]());

describe('a restore from a copy, in a place that never saw its backup', () => {
  test('brings back every file, and the record that they are prepared by', async () => {
    await registry.create(snapshots());
    await copies.copying();
    expect(await copies.restoring()).toMatchObject({ record: { id: ID }, files: 18, bytes: 4_049_115 });
    for (const name of ['data', 'wal'])
      expect(lookAt(join(folder, 'to', name))).toEqual(lookAt(join(folder, 'volumes', name)));
    expect(parse(readFileSync(join(folder, 'state', 'record.yaml'), 'utf8'))).toEqual(snapshots());
  });

  test('opens what is encrypted with the identity alone; the manifest is sealed too', async () => {
    const identity = await generateX25519Identity();
    const recipients = [await identityToRecipient(identity)];
    await registry.create(snapshots());
    await copies.copying({ copy: { recipients } });
    expect(copies.inStore()).toEqual(['files.tar.zst.age', 'manifest.jsonl.zst.age', 'owner.yaml', 'record.yaml']);
    expect(readFileSync(join(folder, 'store', FOLDER, 'manifest.jsonl.zst.age')).toString('latin1')).toMatch(
      /^age-encryption/,
    );
    await expect(copies.restoring()).rejects.toMatchObject({ code: 'key-unusable' });
    await expect(copies.restoring([await generateX25519Identity()])).rejects.toMatchObject({
      code: 'identity-mismatch',
    });
    expect(readdirSync(join(folder, 'to', 'data'))).toEqual([]);
    expect(await copies.restoring([identity])).toMatchObject({ files: 18 });
  });

  test('is refused where a volume holds something, or is not named', async () => {
    await registry.create(snapshots());
    await copies.copying();
    await expect(copies.restoring(undefined, ['data'])).rejects.toMatchObject({
      code: 'config-invalid',
      message: `copy shop/orders-copy/${ID} is of the volumes data, wal, and the restore names data`,
    });
    writeFileSync(join(folder, 'to', 'data', 'somebodys'), 'database');
    await expect(copies.restoring()).rejects.toMatchObject({ code: 'restore-exists', exitCode: 3 });
    expect(readFileSync(join(folder, 'to', 'data', 'somebodys'), 'utf8')).toBe('database');
  });

  test('fails, and says that the claims are to be thrown away, where a byte was altered in the store', async () => {
    await registry.create(snapshots());
    await copies.copying({ copy: { compression: 'none' } });
    const file = join(folder, 'store', FOLDER, 'files.tar');
    const bytes = readFileSync(file);
    bytes[bytes.indexOf('far down')] = 0x46;
    writeFileSync(file, bytes);
    await expect(copies.restoring()).rejects.toMatchObject({
      code: 'stream-broken',
      exitCode: 7,
      hint: 'the claims hold a part of the copy: delete them, and restore into new ones',
    });
  });

  test('is refused of a dump', async () => {
    const store = await copies.opened();
    const { stringify } = await import('yaml');
    const dump = stringify(record({ id: ID, database: 'orders-copy', mode: 'dump' }));
    await store.put(`${FOLDER}/record.yaml`, once(dump), { signal: new AbortController().signal });
    await expect(copies.restoring()).rejects.toMatchObject({ message: `backup shop/orders-copy/${ID} is no copy` });
  });
});
