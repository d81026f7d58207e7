/** A backup that a person takes in a process of their own, with `--config`: no Job, no pod. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { type JobConfig, MOUNTS } from '../../../src/contract';
import { KINDS, read } from './cluster';
import { addressOf } from './pods';
import type { TestPolicy } from './policy';
import { type Answer, stillpoint } from './stillpoint';

/** Takes one as a policy says it, from this machine: the server by its pod's address, the login in files here. */
export async function backupByHand({ name, namespace }: TestPolicy): Promise<Answer> {
  const folder = await mkdtemp(join(tmpdir(), 'stillpoint-by-hand-'));
  try {
    const config = parse((await read(KINDS.configMap, name, namespace))?.data[MOUNTS.configFile]) as JobConfig;
    const { connection } = config.spec;
    if (connection === undefined) throw new Error(`policy ${name} has no server`);
    const login = (await read(KINDS.secret, `${connection.host}-backup`, namespace))?.data;
    for (const key of ['username', 'password']) {
      await writeFile(join(folder, key), Buffer.from(login[key], 'base64'));
    }
    const here = {
      ...connection,
      host: await addressOf(`${connection.host}-0`, namespace),
      usernameFile: join(folder, 'username'),
      passwordFile: join(folder, 'password'),
    };
    const file = join(folder, 'config.yaml');
    await writeFile(file, stringify({ ...config, spec: { ...config.spec, connection: here } }));
    return await stillpoint('backup', '--config', file);
  } finally {
    await rm(folder, { recursive: true });
  }
}
