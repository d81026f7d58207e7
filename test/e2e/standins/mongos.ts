/**
 * A stand-in for a mongos, for tests of backups: a program of its own in a pod, before replica sets that may be stand-ins too.
 *
 * Each client has a connection to the config servers behind it, over which it logs in; what is not answered here is passed on
 * there. Answered here, with the semantics that MongoDB documents:
 *
 *   hello, isMaster     msg isdbgrid, no set
 *   buildInfo           the version that MONGOS_VERSION names
 *   getShardMap         the sets of CLUSTER
 *   balancerStatus, balancerStart, balancerStop   the setting lies on the config servers (config.settings), so writing it waits while they
 *                       are locked; there are no rounds
 *   fsync with lock, fsyncUnlock   at the primaries of all sets at once, with the client's comment; where one refuses, all are unlocked
 *                       again. A document {_id: 'ddl'} in config.standin stands for a change of the schema under way, and refuses it
 *
 * What differs from a real one: documents are not routed (they are the config servers'), there are no chunks and no rounds of the balancer,
 * no transactions, and a lock that nobody waits for any more is not withdrawn.
 */
import { createConnection, createServer, type Socket } from 'node:net';
import { type Document, MongoClient } from 'mongodb';
import { answerTo, documentOf, framesOf, OP_MSG, Refused, withDocument } from '../../wire/frames';

const PORT = 27017;

const version = process.env.MONGOS_VERSION ?? '7.0.14';
/** `config=cfg/cfg-0.…:27017 shard-a=a/…` */
const cluster = new Map((process.env.CLUSTER ?? '').split(' ').map((one) => one.split('=') as [string, string]));
const sets = [...cluster].map(([name, hosts]) => ({ name, hosts, client: clientOf(hosts) }));

/** As a mongos has its own connections to every shard. Whoever may speak to this program is known by the config servers. */
function clientOf(hosts: string): MongoClient {
  const [, host = ''] = hosts.split('/');
  const auth = { username: process.env.ROOT_USERNAME ?? 'root', password: process.env.ROOT_PASSWORD ?? '' };
  return new MongoClient(`mongodb://${host}/?directConnection=true`, { auth, retryWrites: false });
}

const config = sets.find(({ name }) => name === 'config')?.client.db('config');
const settings = config?.collection<{ _id: string; stopped?: boolean }>('settings');

const OWN: Readonly<Record<string, (command: Document) => Promise<Document>>> = {
  getShardMap: async () => ({ map: Object.fromEntries(cluster) }),
  balancerStatus: async () => {
    const stopped = (await settings?.findOne({ _id: 'balancer' }))?.stopped === true;
    return { mode: stopped ? 'off' : 'full', inBalancerRound: false, numBalancerRounds: 0 };
  },
  balancerStart: () => setBalancer(false),
  balancerStop: () => setBalancer(true),
  fsync: async ({ lock, comment }) => ({ numFiles: 1, all: lock === true ? await lockAll(comment) : { raw: {} } }),
  fsyncUnlock: async () => {
    const answers = await atAll({ fsyncUnlock: 1 });
    const failed = answers.find(({ error }) => error !== undefined);
    if (failed?.error === undefined) return { raw: repliesOf(answers) };
    const { code, codeName, message } = failed.error;
    throw new Refused(code, codeName, message, { raw: repliesOf(answers), code, codeName });
  },
};

async function setBalancer(stopped: boolean): Promise<Document> {
  await settings?.updateOne({ _id: 'balancer' }, { $set: { stopped } }, { upsert: true });
  return {};
}

async function lockAll(comment: unknown): Promise<Document> {
  if ((await config?.collection<{ _id: string }>('standin').findOne({ _id: 'ddl' })) != null) {
    throw notLocked(20, 'IllegalOperation', 'Cannot take lock while DDL operation is in progress');
  }
  const answers = await atAll({ fsync: 1, lock: true, ...(comment === undefined ? {} : { comment }) });
  const failed = answers.find(({ error }) => error !== undefined);
  if (failed?.error === undefined) return { raw: repliesOf(answers) };
  await atAll({ fsyncUnlock: 1 });
  const { code, codeName, message } = failed.error;
  throw notLocked(code, codeName, message);
}

/** The code of a lock that failed is in `all`, and nowhere else. [src: cluster_fsync_cmd.cpp] */
function notLocked(code: number, codeName: string, message: string): Refused {
  return new Refused(code, codeName, message, { numFiles: 1, all: { raw: {}, code, codeName } });
}

interface Answer {
  readonly hosts: string;
  readonly reply?: Document;
  readonly error?: Refused;
}

async function atAll(command: Document): Promise<readonly Answer[]> {
  return await Promise.all(
    sets.map(async ({ hosts, client }) =>
      client
        .db('admin')
        .command({ ...command })
        .then(
          (reply) => ({ hosts, reply }),
          ({ code, codeName, message }: Refused) => ({ hosts, error: new Refused(code, codeName, message) }),
        ),
    ),
  );
}

function repliesOf(answers: readonly Answer[]): Document {
  return Object.fromEntries(
    answers.map(({ hosts, reply, error }) => [
      hosts,
      reply ?? { ok: 0, code: error?.code, codeName: error?.codeName, errmsg: error?.message },
    ]),
  );
}

/** What a mongos says of itself in place of what the config server behind it said. */
function asRouter(command: string, answer: Document): Document {
  if (command === 'buildInfo') return { ...answer, version };
  const { setName, setVersion, hosts, primary, me, secondary, electionId, lastWrite, ...own } = answer;
  return { ...own, msg: 'isdbgrid', isWritablePrimary: true };
}

const REWRITTEN = ['hello', 'isMaster', 'ismaster', 'buildInfo', 'buildinfo'];
const LOGINS = ['saslStart', 'saslContinue'];

async function serve(client: Socket): Promise<void> {
  const [, at = ''] = (cluster.get('config') ?? '').split('/');
  const [host = '', port] = at.split(':');
  const upstream = createConnection({ host, port: Number(port ?? PORT) });
  const asked = new Map<number, string>();
  let loggedIn = false;
  const end = (): void => {
    client.destroy();
    upstream.destroy();
  };
  client.on('error', end).on('close', end);
  upstream.on('error', end).on('close', end);
  void (async () => {
    for await (const frame of framesOf(upstream)) {
      const name = asked.get(frame.answers) ?? '';
      asked.delete(frame.answers);
      const answer = REWRITTEN.includes(name) || LOGINS.includes(name) ? documentOf(frame) : {};
      if (LOGINS.includes(name) && answer.done?.valueOf() === true) loggedIn = true;
      const rewritten = REWRITTEN.includes(name) ? asRouter(name.replace('info', 'Info'), answer) : undefined;
      client.write(rewritten === undefined ? frame.bytes : withDocument(frame, rewritten));
    }
  })().catch(end);
  for await (const frame of framesOf(client)) {
    const command = documentOf(frame);
    const name = Object.keys(command)[0] ?? '';
    const own = frame.code === OP_MSG ? OWN[name] : undefined;
    if (own === undefined) {
      asked.set(frame.id, name);
      upstream.write(frame.bytes);
    } else
      void answerTo(frame, () => answerOwn(name, documentOf(frame, true), loggedIn)).then((bytes) =>
        client.write(bytes),
      );
  }
}

/** Only who has logged in is answered here. */
async function answerOwn(name: string, command: Document, loggedIn: boolean): Promise<Document> {
  if (!loggedIn) throw new Refused(13, 'Unauthorized', `command ${name} requires authentication`);
  return (await OWN[name]?.(command)) ?? {};
}

createServer((socket) => void serve(socket).catch(() => socket.destroy())).listen(PORT, () => {
  process.stdout.write(`stand-in for a mongos ${version}: ${process.env.CLUSTER}\n`);
});
for (const name of ['SIGTERM', 'SIGINT']) process.on(name, () => process.exit(0));
