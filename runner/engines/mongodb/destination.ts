/** A server that a dump is restored into: what it holds. */
import { configuredEndpoint } from '../../endpoint';
import { type EngineDump, HOLDINGS_LIMIT } from '../../tools/tool';
import { Connection } from './connection';
import { listAt, type Reply, textAt } from './reply';

/** What every server has. Users lie in the first: they are no data, and a restore of everything adds to them. */
const SYSTEM = ['admin', 'config', 'local'];

const namesIn = (reply: Reply, path: string): readonly string[] =>
  listAt(reply, path).map((each) => textAt(each, 'name') ?? '');

export const destination: NonNullable<EngineDump['destination']> = async (
  target,
  { database, outOf },
  _log,
  signal,
) => {
  const one = database ?? outOf;
  const on = await Connection.open(target, configuredEndpoint(target), signal);
  try {
    if (one === undefined) {
      const reply = await on.command('asking for the databases', { listDatabases: 1, nameOnly: true }, signal);
      const names = namesIn(reply, 'databases').filter((name) => !SYSTEM.includes(name));
      return { holds: names.slice(0, HOLDINGS_LIMIT).map((name) => `database ${name}`), logins: [] };
    }
    const what = `asking what the database ${one} holds`;
    const reply = await on.command(what, { listCollections: 1, nameOnly: true }, signal, one);
    return { holds: namesIn(reply, 'cursor.firstBatch').slice(0, HOLDINGS_LIMIT), logins: [] };
  } finally {
    await on.close();
  }
};
