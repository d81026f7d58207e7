/** A restore from a dump that is encrypted: who can open it, and what is refused before the server is asked. */
import { Encrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RestoredDump } from '../../../runner/commands/restore-dump';
import type { DirectoryRegistry } from '../../../runner/registry/directory';
import type { BackupRecord } from '../../../src/contract';
import { DumpRestores, dumped, KEY, type Situation, SQL, STORED, sha256 } from './restore-dump-fixture';

let restores: DumpRestores;
let registry: DirectoryRegistry;
beforeEach(async () => {
  restores = await DumpRestores.create();
  ({ registry } = restores);
});
afterEach(() => restores[Symbol.asyncDispose]());

const put: DumpRestores['put'] = (...args) => restores.put(...args);
const given = (): Promise<string | undefined> => restores.given();
const restoring = (situation?: Situation): Promise<RestoredDump> => restores.restoring(situation);

describe('a restore from a dump', () => {
  describe('that is encrypted', () => {
    let identity: string;
    let stored: Buffer;
    let encryption: { readonly format: string; readonly recipients: readonly string[] };
    const nobody = (): Promise<never> => Promise.reject(new Error('nobody asks'));
    beforeEach(async () => {
      identity = await generateX25519Identity();
      encryption = { format: 'age', recipients: [await identityToRecipient(identity)] };
      const encrypter = new Encrypter();
      encrypter.addRecipient(encryption.recipients[0] ?? '');
      stored = Buffer.from(await encrypter.encrypt(STORED));
      await put(KEY, stored);
    });
    const sealed = (more: object = { encryption }): BackupRecord =>
      dumped({
        objects: (dumped().objects ?? []).map((object) => ({
          ...object,
          bytes: stored.length,
          sha256: sha256(stored),
          ...more,
        })),
      });

    it('goes in by an identity of one of its recipients', async () => {
      await registry.create(sealed());
      await restoring({ identities: [await generateX25519Identity(), identity], spec: { checkFirst: true } });
      expect(await given()).toBe(SQL);
    });

    it.each<[string, () => Promise<readonly string[] | undefined>, string]>([
      ['without an identity', async () => undefined, 'key-unusable'],
      ['with that of somebody else', async () => [await generateX25519Identity()], 'identity-mismatch'],
    ])('%s is refused before the server is asked, and named are those that open it', async (_, identities, code) => {
      await registry.create(sealed());
      const error = await restoring({ open: nobody, identities: await identities() }).catch(
        (thrown: unknown) => thrown,
      );
      expect(error).toMatchObject({ code, exitCode: 3 });
      if (code === 'key-unusable') expect(error).toHaveProperty('hint', expect.stringContaining('age1'));
    });

    it('and of which the record says nothing is refused: it may be another one that was put in its place', async () => {
      await put(KEY, STORED);
      await registry.create(dumped());
      await expect(restoring({ open: nobody, identities: [identity] })).rejects.toMatchObject({
        code: 'decryption-failed',
        message: expect.stringContaining('is on record without encryption'),
      });
    });

    it('in a way that this version does not know is refused', async () => {
      await registry.create(sealed({ encryption: { ...encryption, format: 'later' } }));
      await expect(restoring({ open: nobody, identities: [identity] })).rejects.toMatchObject({
        code: 'record-unreadable',
      });
    });

    it('and was altered fails, and the tool never sees an end', async () => {
      const record = sealed();
      const last = stored.length - 20;
      stored[last] = (stored[last] ?? 0) ^ 1;
      await put(KEY, stored);
      await registry.create(record);
      await expect(restoring({ identities: [identity] })).rejects.toMatchObject({ code: 'decryption-failed' });
      expect(await given()).toBeUndefined();
    });
  });
});
