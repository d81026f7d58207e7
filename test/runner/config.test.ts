import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseConfig, readConfig, readTarget } from '../../runner/config';
import { type Connection, type JobConfig, type MemberConfig, membersOf } from '../../src/contract';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stillpoint-config-'));
});
afterAll(() => rm(folder, { recursive: true }));

const config = (usernameFile: string, passwordFile: string): JobConfig =>
  parseConfig(
    `
apiVersion: stillpoint.dev/v1
kind: BackupConfig
metadata: { name: orders-db }
spec:
  engine: postgres
  database: orders-db
  connection: { host: orders-db, port: 5432, usernameFile: ${usernameFile}, passwordFile: ${passwordFile} }
  volumes: [{ name: data, role: data, claim: data-orders-db-0 }]
  snapshots: { className: retained }
  registry: {}
`,
    'test',
  ) as JobConfig;

describe('the job config', () => {
  it('says everything that is wrong with it at once', () => {
    const wrong =
      'apiVersion: stillpoint.dev/v9\nkind: BackupConfig\nmetadata: { name: A }\nspec: { engine: oracle }\n';
    expect(() => parseConfig(wrong, 'backup.yaml')).toThrowError(
      expect.objectContaining({
        code: 'config-invalid',
        exitCode: 2,
        message: expect.stringMatching(
          /apiVersion must be one of.*metadata\.name must match.*spec\.volumes is missing.*spec\.engine must be one of/s,
        ),
      }),
    );
  });

  it('that is not YAML is refused', () => {
    expect(() => parseConfig('a: [', 'backup.yaml')).toThrowError(expect.objectContaining({ code: 'config-invalid' }));
  });

  it('that is not there is named', async () => {
    await expect(readConfig(join(folder, 'none.yaml'))).rejects.toMatchObject({
      code: 'config-invalid',
      message: expect.stringContaining('none.yaml'),
    });
  });
});

const member = (user: string, password: string): MemberConfig =>
  membersOf(config(user, password))[0]?.config as MemberConfig;

describe('credentials', () => {
  it('are read from files, without the newline at their end', async () => {
    const [user, password] = [join(folder, 'username'), join(folder, 'password')];
    await writeFile(user, 'backup\n');
    await writeFile(password, ' pass word\r\n');
    expect(await readTarget(member(user, password))).toMatchObject({ username: 'backup', password: ' pass word' });
  });

  it('that are missing are named by their file, never by their value', async () => {
    const user = join(folder, 'user2');
    await writeFile(user, 'backup');
    await expect(readTarget(member(user, join(folder, 'missing')))).rejects.toMatchObject({
      code: 'credentials-unreadable',
      message: expect.stringMatching(/missing with the password cannot be read \(ENOENT\)/),
    });
  });

  it('at sentinels are read from files of their own; a password alone will do', async () => {
    const file = join(folder, 'plain');
    await writeFile(file, 'watched');
    const plain = member(file, file);
    const connection = plain.connection as Connection;
    const targetWith = (sentinel: object): ReturnType<typeof readTarget> =>
      readTarget({ ...plain, connection: { ...connection, sentinel: { masterName: 'sessions', ...sentinel } } });
    expect(await targetWith({ passwordFile: file })).toMatchObject({ sentinel: { username: '', password: 'watched' } });
    expect(await targetWith({ usernameFile: file, passwordFile: file })).toMatchObject({
      sentinel: { username: 'watched', password: 'watched' },
    });
    expect(await targetWith({})).toMatchObject({ sentinel: { username: '', password: undefined } });
    await expect(targetWith({ passwordFile: join(folder, 'gone') })).rejects.toMatchObject({
      code: 'credentials-unreadable',
      message: expect.stringContaining('password at the sentinels'),
    });
  });

  it('that are empty are refused', async () => {
    const user = join(folder, 'empty');
    await writeFile(user, '\n');
    await expect(readTarget(member(user, user))).rejects.toMatchObject({ code: 'credentials-unreadable', exitCode: 3 });
  });
});
