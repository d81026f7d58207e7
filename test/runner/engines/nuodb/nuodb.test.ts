import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkRequest } from '../../../../runner/engines/nuodb/checks';
import { currentIn, messageIn } from '../../../../runner/engines/nuodb/hooks';
import { resource } from '../../../../runner/engines/nuodb/resource';
import { inspect, prepare, serverCommand } from '../../../../runner/engines/nuodb/restore';
import { planResource } from '../../../../runner/restore/resource';
import { QuietLog } from '../../../support/quiet-log';
import { record } from '../../../support/record';
import { archive, journal, request } from './requests';

const IDLE = { current: undefined, where: '10.0.0.1:8000' };

describe('the answers of the backup hooks', () => {
  it.each([
    ['Unexpected backup ID: current=None, supplied=x', 'None'],
    ['Unexpected backup ID: current=20261126020000, supplied=stillpoint-asks', '20261126020000'],
    ['Unexpected backup ID: current=a, b, supplied=stillpoint-asks', 'a, b'],
    ['No handler found for path /post-backup/x', undefined],
    ['', undefined],
  ])('"%s" tells of the backup %s', (message, current) => {
    expect(currentIn(message)).toBe(current);
  });

  it.each([
    ['{"success": true}', ''],
    ['{"success": false, "message": "Archiving\\n  not paused"}', 'Archiving not paused'],
    ['<html>\n404</html>', '<html> 404</html>'],
    ['null', ''],
  ])('%s says "%s"', (text, message) => {
    expect(messageIn(text)).toBe(message);
  });
});

describe('what speaks against a backup of NuoDB', () => {
  it.each([
    ['nothing', request(), IDLE, 'ok', /no backup is at work/],
    ['one volume is enough', request({ volumes: [archive] }), IDLE, 'ok', /no backup is at work/],
    ['a backup that is at work', request(), { ...IDLE, current: 'x' }, 'freeze-left', /backup x is at work/],
    ['no archive', request({ volumes: [journal] }), IDLE, 'volume-mismatch', /0 volumes of role data/],
    ['a store that copies', request({ atomicStore: false }), IDLE, 'driver-unsafe', /goes on being written/],
    ['backup-mode', request({ layout: 'backup-mode' }), IDLE, 'config-invalid', /no layout backup-mode/],
    ['a group without a class', request({ layout: 'group' }), IDLE, 'config-invalid', /names none/],
    ['an option', request({ options: { freezeMode: 'ice' } }), IDLE, 'config-invalid', /freezeMode is "ice"/],
    ['several at once', request({ standstill: true }), IDLE, 'config-invalid', /are to be of one instant/],
    [
      'several, their file systems frozen',
      request({ standstill: true, options: { freezeMode: 'fsfreeze' } }),
      IDLE,
      'config-invalid',
      /of one instant/,
    ],
    ['several, cut together', request({ standstill: true, groupClass: true }), IDLE, 'ok', /no backup is at work/],
    ['several, suspended', request({ standstill: true, options: { freezeMode: 'suspend' } }), IDLE, 'ok', /no backup/],
  ] as const)('%s', (_, asked, hooks, code, message) => {
    const [first] = checkRequest(asked, hooks);
    expect(first?.code).toBe(code);
    expect(first?.message).toMatch(message);
  });
});

describe('the Database resource of a copy', () => {
  const spec = { dbName: 'demo', passwordRef: { name: 'old' }, archiveVolume: { volumeSize: '1Gi', tier: 'fast' } };
  const recorded = { apiVersion: 'cp.nuodb.com/v1beta1', kind: 'Database', plural: 'databases', name: 'demo' };
  const of = record({ engine: 'nuodb', resource: { ...recorded, spec, secret: 'other.demo.1' } });
  const plan = { name: 'copy', namespace: 'shop', record: of, volumes: [{ name: 'archive', size: '2Gi' }] } as never;

  it('has the sizes of its volumes and a Secret of its own, and all else as recorded', () => {
    expect(planResource(plan, 'copy', resource)).toEqual({
      ...recorded,
      name: 'copy',
      namespace: 'shop',
      labels: {},
      spec: {
        dbName: 'demo',
        passwordRef: { kind: 'Secret', name: 'copy-credentials' },
        archiveVolume: { volumeSize: '2Gi', tier: 'fast' },
      },
      secret: {
        name: 'copy-credentials',
        recordedIn: `shop.orders-db.${of.id}`,
        keys: { password: 'data', recorded: 'recorded' },
      },
    });
  });

  it('keeps its reference where no password is recorded', () => {
    const { secret, spec: own } = resource(
      { ...of, resource: { ...recorded, spec } },
      { secretName: undefined, sizes: {} },
    ) as { secret?: unknown; spec: object };
    expect([secret, own]).toEqual([undefined, spec]);
  });

  it('is refused under the name of the original, and of a backup that keeps none', () => {
    expect(() => planResource(plan, 'demo', resource)).toThrow(/is the one that the backup is of/);
    const none = { ...(plan as object), record: record({}) } as never;
    expect(() => planResource(none, 'copy', resource)).toThrow(/keeps no resource/);
    const forged = {
      ...recorded,
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      plural: 'rolebindings',
    };
    const other = { ...(plan as object), record: { ...of, resource: forged } } as never;
    expect(() => planResource(other, 'copy', resource)).toThrow(/says that it was made from a RoleBinding/);
  });
});

describe('restored volumes of NuoDB', () => {
  const of = record({ engine: 'nuodb', id: '20261126020000' });

  /** The hooks may be told of a folder of the volume. */
  async function volumes(ids: Readonly<Record<'archive' | 'journal', string | undefined>>, folder = 'nuodb') {
    const root = await mkdtemp(join(tmpdir(), 'nuodb-'));
    return await Promise.all(
      ([archive, journal] as const).map(async ({ name, role }) => {
        const path = join(root, name);
        await mkdir(join(path, folder), { recursive: true });
        const id = ids[name as keyof typeof ids];
        if (id !== undefined) await writeFile(join(path, folder, 'backup.txt'), `${id}\n`);
        return { name, role, path };
      }),
    );
  }

  it('are of the backup that the record is of', async () => {
    const { done } = await prepare(await volumes({ archive: of.id, journal: of.id }), of, new QuietLog());
    expect(done).toEqual([`volume archive was cut in backup ${of.id}`, `volume journal was cut in backup ${of.id}`]);
  });

  it.each([
    ['20260101000000', /volume journal is of backup 20260101000000/],
    [undefined, /volume journal has no backup.txt/],
  ])('are refused where the journal is of %s', async (id, message) => {
    const mounted = await volumes({ archive: of.id, journal: id });
    await expect(prepare(mounted, of, new QuietLog())).rejects.toThrow(message);
  });

  it('are so too where the file lies in the volume itself', async () => {
    const { dataPath, done } = await prepare(await volumes({ archive: of.id, journal: of.id }, ''), of, new QuietLog());
    expect([done.length, dataPath]).toEqual([2, expect.stringMatching(/archive$/)]);
  });

  it('are refused where the archive is of another, and the journal of the record', async () => {
    const mounted = await volumes({ archive: '20260101000000', journal: of.id });
    await expect(prepare(mounted, of, new QuietLog())).rejects.toThrow(/volume archive is of backup 20260101000000/);
  });

  it('are refused without an archive', async () => {
    const mounted = (await volumes({ archive: of.id, journal: of.id })).filter(({ name }) => name === 'journal');
    await expect(prepare(mounted, of, new QuietLog())).rejects.toMatchObject({
      code: 'restore-failed',
      message: expect.stringContaining('role data'),
    });
  });

  it('are refused where the file cannot be read: whose they are is not known', async () => {
    const mounted = await volumes({ archive: of.id, journal: undefined });
    await mkdir(join(mounted[1]?.path ?? '', 'backup.txt'));
    await expect(prepare(mounted, of, new QuietLog())).rejects.toMatchObject({
      code: 'restore-failed',
      message: expect.stringMatching(/^the file .*backup.txt of volume journal cannot be read \(EISDIR\)$/),
      hint: expect.stringContaining('restore again'),
    });
  });

  it('are refused where a volume cannot be looked into', async () => {
    const [first] = await volumes({ archive: of.id, journal: of.id });
    const gone = { ...journal, path: join(first?.path ?? '', 'gone') };
    await expect(
      prepare(
        [gone, first].filter((each) => each !== undefined),
        of,
        new QuietLog(),
      ),
    ).rejects.toMatchObject({
      code: 'restore-failed',
      message: expect.stringContaining('of volume journal cannot be read (ENOENT)'),
    });
  });

  it('are not looked for in the folder that a file system keeps for itself', async () => {
    const mounted = await volumes({ archive: of.id, journal: of.id }, 'lost+found');
    await expect(prepare(mounted, of, new QuietLog())).rejects.toThrow(/volume archive has no backup.txt/);
  });

  it('that came in by bare handles are of whatever backup, as long as it is one', async () => {
    const imported = { at: '2026-02-01T00:00:00.000Z', from: {}, ownsData: false };
    const bare = { ...record({ engine: 'nuodb', imported }), position: undefined };
    const { done } = await prepare(await volumes({ archive: 'x-1', journal: 'x-1' }), bare, new QuietLog());
    expect(done).toEqual(['volume archive was cut in backup x-1', 'volume journal was cut in backup x-1']);
    await expect(prepare(await volumes({ archive: 'x-1', journal: 'x-2' }), bare, new QuietLog())).rejects.toThrow(
      /volume journal is of backup x-2, and the one before it is of x-1/,
    );
    await expect(prepare(await volumes({ archive: 'x-1', journal: undefined }), bare, new QuietLog())).rejects.toThrow(
      /volume journal has no backup.txt/,
    );
    // One that was exported says what it was cut as, under whatever id it goes here.
    const exported = { ...bare, position: { backupId: 'x-1' } };
    await expect(prepare(await volumes({ archive: 'x-2', journal: 'x-2' }), exported, new QuietLog())).rejects.toThrow(
      /volume archive is of backup x-2/,
    );
  });

  it('start no server by themselves, and tell nothing of one', async () => {
    expect(() => serverCommand()).toThrow(/without a domain that it joins/);
    await expect(inspect()).rejects.toMatchObject({ code: 'backup-not-restorable' });
  });
});
