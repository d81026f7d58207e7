import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { engine } from '../../../../runner/engines/postgres';
import { QuietLog } from '../../../support/quiet-log';
import { record } from '../../../support/record';

const backup = record({
  serverIdentity: { systemIdentifier: '42', role: 'primary' },
  settings: { data_directory: '/data' },
  layout: 'atomic',
});
const log = new QuietLog();

let path: string;
const volumes = (): Parameters<NonNullable<typeof engine.restore.attach>>[0] => [{ name: 'data', role: 'data', path }];

/** As much of a data directory as is looked at. */
beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'stillpoint-attach-'));
  const control = Buffer.alloc(8);
  control.writeBigUInt64LE(42n);
  await mkdir(join(path, 'global'));
  for (const name of ['pg_replslot', 'pg_tblspc', 'pg_wal']) await mkdir(join(path, name));
  await writeFile(join(path, 'global', 'pg_control'), control);
  await writeFile(join(path, 'pg_wal', '000000010000000000000001'), '');
  await writeFile(join(path, 'PG_VERSION'), '17\n');
  await writeFile(join(path, 'postgresql.auto.conf'), "archive_command = 'cp %p /archive'\n");
});

afterEach(async () => {
  await rm(path, { recursive: true });
});

const has = (name: string): Promise<boolean> =>
  readFile(join(path, name)).then(
    () => true,
    () => false,
  );

describe('a copy that takes the place of the original', () => {
  it('gets a timeline of its own, and one beside it does not', async () => {
    await engine.restore.prepare(volumes(), backup, log);
    expect(await has('recovery.signal')).toBe(false);
    await rm(join(path, 'stillpoint.prepared'));
    await engine.restore.prepare(volumes(), backup, log, { inPlace: true });
    expect(await has('recovery.signal')).toBe(true);
  });

  it('is not attached before a server has recovered it: it would go on into the archive', async () => {
    await engine.restore.prepare(volumes(), backup, log, { inPlace: true });
    await expect(engine.restore.attach?.(volumes(), backup, log)).rejects.toThrow(/still has recovery\.signal/);
    expect(await readFile(join(path, 'postgresql.auto.conf'), 'utf8')).toContain("archive_mode = 'off'");
  });

  it('has its settings again once it is attached, and can be attached twice', async () => {
    await engine.restore.prepare(volumes(), backup, log, { inPlace: true });
    await rm(join(path, 'recovery.signal'));
    for (let time = 0; time < 2; time++) await engine.restore.attach?.(volumes(), backup, log);
    expect(await readFile(join(path, 'postgresql.auto.conf'), 'utf8')).toBe("archive_command = 'cp %p /archive'\n");
    expect(await has('stillpoint.conf')).toBe(false);
  });

  it('may not be that of a standby', () => {
    const standby = { ...backup, serverIdentity: { systemIdentifier: '42', role: 'standby' } };
    expect(engine.restore.inPlace?.(standby)).toMatchObject([{ severity: 'error', code: 'in-place-unsuitable' }]);
    expect(engine.restore.inPlace?.(backup)).toMatchObject([{ severity: 'warning' }]);
  });
});
