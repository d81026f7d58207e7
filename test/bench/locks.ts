/**
 * How a script holds a database while a snapshot is taken, by the name of an engine: what the scripts that circulate send
 * through one command after the other, here on one session, which most of them lose.
 */
import { createConnection } from 'mysql2/promise';
import { createClient } from 'redis';
import type { Target } from '../../runner/engine';

/** Held on a session of its own. */
export interface HeldLock {
  release(): Promise<void>;
}

/** One for each engine that is measured. */
export const LOCKS: Readonly<Record<string, (target: Target) => Promise<HeldLock>>> = {
  postgres: backupMode,
  mariadb: readLock,
  mysql: readLock,
  redis: pausedWrites,
  valkey: pausedWrites,
  mongo: fsyncLock,
};

/** `FLUSH TABLES WITH READ LOCK`. */
async function readLock({ connection: { host, port }, username, password }: Target): Promise<HeldLock> {
  const session = await createConnection({ host, port, user: username, password: password ?? '' });
  await session.query('FLUSH TABLES WITH READ LOCK');
  return {
    release: async () => {
      await session.query('UNLOCK TABLES');
      await session.end();
    },
  };
}

/** Holds off no write: what is measured is how long its session has to live. */
async function backupMode({ connection: { host, port, database }, username, password }: Target): Promise<HeldLock> {
  const { default: pg } = await import('pg');
  const session = new pg.Client({ host, port, database, user: username, password });
  await session.connect();
  await session.query("SELECT pg_backup_start('another way', true)");
  return {
    release: async () => {
      await session.query('SELECT pg_backup_stop(false)');
      await session.end();
    },
  };
}

/** A pause that is longer than any snapshot takes, ended by hand. */
async function pausedWrites({ connection: { host, port }, username, password }: Target): Promise<HeldLock> {
  const session = createClient({
    RESP: 2,
    username,
    ...(password === undefined ? {} : { password }),
    maintNotifications: 'disabled',
    socket: { host, port, reconnectStrategy: false },
  });
  session.on('error', () => undefined);
  await session.connect();
  await session.sendCommand(['CLIENT', 'PAUSE', '120000', 'WRITE']);
  return {
    release: async () => {
      await session.sendCommand(['CLIENT', 'UNPAUSE']);
      session.destroy();
    },
  };
}

/** `db.fsyncLock()`. */
async function fsyncLock({ connection: { host, port }, username, password }: Target): Promise<HeldLock> {
  const { MongoClient } = await import('mongodb');
  const session = new MongoClient(`mongodb://${host}:${port}/?directConnection=true`, {
    auth: { username, password: password ?? '' },
  });
  const admin = session.db('admin');
  await admin.command({ fsync: 1, lock: true });
  return {
    release: async () => {
      await admin.command({ fsyncUnlock: 1 });
      await session.close();
    },
  };
}
