/**
 * Back in the place of other engines than the one of in-place.test.ts: MariaDB each time, MySQL and Valkey in the soak.
 * Asked on a terminal, as whoever does this at three in the morning is.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BackupRecord } from '../../src/contract';
import { NO_TERMINAL, onTerminal } from '../support/pseudo-terminal';
import { SOAK } from '../support/soak';
import { succeeded, takeBackup } from './harness/backup';
import { KINDS, read } from './harness/cluster';
import { type MySqlImage, startMySql } from './harness/mysql';
import { makeNamespace, type TestNamespace } from './harness/namespace';
import { applyMySqlPolicy, applyRedisPolicy, type TestPolicy } from './harness/policy';
import { startRedis } from './harness/redis';
import { commandLine, stillpoint } from './harness/stillpoint';
import { eventually } from './harness/wait';

let namespace: TestNamespace;
beforeAll(async () => {
  namespace = await makeNamespace('in-place-engines');
});
afterAll(() => namespace[Symbol.asyncDispose]());

/** A database whose present state is a number. */
interface Server {
  readonly policy: TestPolicy;
  readonly claim: string;
  set(state: number): Promise<void>;
  /** Undefined while it is not there. */
  state(): Promise<number>;
}

async function mysql(image: MySqlImage): Promise<Server> {
  const server = await startMySql({ namespace: namespace.name, image, name: image.replace(/\W/g, '-') });
  const ask = async (sql: string): Promise<readonly Record<string, unknown>[]> => {
    const client = await server.connect();
    const { rows } = await client.query(sql);
    await client.end();
    return rows;
  };
  await ask('CREATE TABLE states (state int)');
  return {
    policy: await applyMySqlPolicy(server),
    claim: server.claims.data,
    set: async (state) => void (await ask(`INSERT INTO states VALUES (${state})`)),
    state: async () => Number((await ask('SELECT max(state) AS state FROM states'))[0]?.state),
  };
}

async function valkey(): Promise<Server> {
  const server = await startRedis({ namespace: namespace.name, image: 'valkey:8', name: 'valkey-8' });
  const ask = async (...words: readonly string[]): Promise<unknown> => {
    const client = await server.connect();
    const answer = await client.send(...words);
    await client.end();
    return answer;
  };
  return {
    policy: await applyRedisPolicy(server),
    claim: server.claims.data,
    set: async (state) => void (await ask('SET', 'state', `${state}`)),
    state: async () => Number(await ask('GET', 'state')),
  };
}

const SERVERS: readonly (readonly [what: string, start: () => Promise<Server>])[] = [
  ['MariaDB', () => mysql('mariadb:11.8')],
  ...(SOAK
    ? ([
        ['MySQL', () => mysql('mysql:9')],
        ['Valkey', valkey],
      ] as const)
    : []),
];

describe.each(SERVERS)('%s in a StatefulSet', (_, start) => {
  let server: Server;
  let record: BackupRecord;
  const volume = async (): Promise<string> =>
    (await read(KINDS.claim, server.claim, namespace.name))?.spec.volumeName as string;
  const becomes = (state: number): Promise<unknown> =>
    eventually(`its state is ${state}`, async () => (await server.state()) === state, { seconds: 120 });
  const words = (...more: readonly string[]): readonly string[] => ['restore', ...more, '-n', namespace.name];
  const answered = (answer: string, ...more: readonly string[]): ReturnType<typeof onTerminal> =>
    onTerminal(commandLine(...words(...more)), {
      typing: [{ when: '[y/N]', keys: `${answer}\n` }],
      patienceMs: 280_000,
    });

  beforeAll(async () => {
    server = await start();
    await server.set(1);
    record = succeeded(await takeBackup(server.policy));
    await server.set(2);
  });

  test.skipIf(NO_TERMINAL !== undefined)(
    `is asked about on a terminal, and stays as it is without a yes${NO_TERMINAL === undefined ? '' : `: ${NO_TERMINAL}`}`,
    async () => {
      const before = await volume();
      for (const answer of ['n', '']) {
        const { screen, exitCode } = await answered(answer, `${record.database}/${record.id}`, '--in-place');
        expect(screen).toContain('[y/N]');
        expect([exitCode, screen]).toEqual([3, expect.stringContaining('(restore-declined)')]);
      }
      expect([await volume(), await server.state()]).toEqual([before, 2]);
    },
  );

  test('goes back, and by --undo forward again, on the volume that it had', async () => {
    const before = await volume();
    const name = `${record.database}/${record.id}`;
    const { screen, exitCode } =
      NO_TERMINAL === undefined
        ? await answered('y', name, '--in-place', '--no-backup-first')
        : await stillpoint(...words(name, '--in-place', '--no-backup-first', '--yes')).then((answer) => ({
            screen: answer.stdout,
            exitCode: answer.exitCode,
          }));
    expect(exitCode, screen).toBe(0);
    await becomes(1);
    expect(await volume()).not.toBe(before);
    await server.set(7);
    const [, id = ''] = /The way back:\n.*--undo (\d{14})/.exec(screen) ?? [];
    const undone = await stillpoint(...words('--in-place', '--undo', id, '--yes'));
    expect(undone, undone.stderr).toMatchObject({ exitCode: 0 });
    await becomes(2);
    expect(await volume()).toBe(before);
  });
});
