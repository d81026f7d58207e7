/**
 * Puts one database of an online backup into a running server: as a new one, from a seed that the server fetches. It is good only
 * when the server has it online with the transactions that the seed has; only then its users' roles are granted, and an alias is moved. What this
 * run has made, and is not good, goes again.
 */
import { pauseFor, timeLimit } from '../../../abort';
import { configuredEndpoint } from '../../../endpoint';
import { asStillpointError, StillpointError } from '../../../errors';
import type { Finding } from '../../../ports';
import type { Target } from '../../../target';
import type {
  EngineOnlineRestore,
  OnlineRestored,
  OnlineRestoreRequest,
  OnlineRestoreWorld,
  ServedFile,
  Switched,
} from '../../../tools/online-restore';
import type { Row } from '../connection';
import { SYSTEM } from './admin-lines';
import type { OpenConnection } from './online';
import { assertPlace, assertProvider, nameOfRestored } from './place';
import { makeSeed, type Seed } from './seed';
import { type Known, type KnownDatabase, SHOW_ALIASES, SHOW_DATABASES } from './selection';
import { aliasOf, databaseOf, dropStatement, removeStatement, SHOW_PROVIDERS, seedStatement } from './statements';
import { switchBack, switchTo } from './switch';

const RETRY_MS = 1_000;
/** For what is taken back after a stop. */
const REMOVE_LIMIT_MS = 20_000;

type System = Awaited<ReturnType<OpenConnection>>;

/** The restores of the Enterprise edition. */
export function enterpriseRestore(open: OpenConnection): EngineOnlineRestore {
  return {
    restore: (target, request, world) => new Restore(open, target, request, world).run(),

    async moveAlias(target, move, { clock, signal }) {
      return await within(open, target, signal, async (system) => {
        const known = await knownOf(system, signal);
        const now = clock.now();
        return await change(
          system,
          'to' in move ? switchTo({ ...move, now }, known) : switchBack({ ...move, now }, known),
          signal,
        );
      });
    },
  };
}

class Restore {
  readonly #open: OpenConnection;
  readonly #target: Target;
  readonly #request: OnlineRestoreRequest;
  readonly #world: OnlineRestoreWorld;
  readonly #into: string;

  constructor(open: OpenConnection, target: Target, request: OnlineRestoreRequest, world: OnlineRestoreWorld) {
    this.#open = open;
    this.#target = target;
    this.#request = request;
    this.#world = world;
    this.#into = nameOfRestored(request, world.clock.now());
  }

  async run(): Promise<OnlineRestored> {
    const { signal, serve, log } = this.#world;
    const endpoint = configuredEndpoint(this.#target);
    log.info({ step: 'place', database: this.#into }, 'step begins');
    const version = await this.#within(async (system) => {
      await this.#place(system);
      for (const { code, message } of await this.#providers(system)) log.warn({ code }, message);
      return await versionOf(system, signal);
    });
    const seed = await makeSeed(this.#into, this.#request, this.#world);
    // Hours may have gone by: what is there now is looked at again.
    return await this.#within(async (system) => {
      await using served = await serve(seed.file, endpoint);
      await this.#create(system, seed, served);
      const switched = await this.#handOver(system, seed).catch((thrown: unknown) => {
        throw notHandedOver(asStillpointError(thrown), this.#into);
      });
      const done = { database: this.#into, version, transaction: seed.transaction };
      return switched === undefined ? done : { ...done, switched };
    });
  }

  /** Whether its place is free, or may be made so. */
  async #place(system: System): Promise<Known> {
    const known = await knownOf(system, this.#world.signal);
    assertPlace(this.#into, this.#request, known);
    return known;
  }

  async #providers(system: System): Promise<readonly Finding[]> {
    const asked = system.ask('looking for seed providers', SHOW_PROVIDERS, this.#world.signal, SYSTEM);
    const rows = await asked.then(
      (answer) => answer.rows,
      (thrown: unknown) => {
        const { code } = asStillpointError(thrown);
        if (code === 'session-lost' || this.#world.signal.aborted) throw thrown;
        return undefined;
      },
    );
    return assertProvider(rows);
  }

  async #create(system: System, seed: Seed, served: ServedFile): Promise<void> {
    const { log } = this.#world;
    const { databases } = await this.#place(system);
    const replaced = databases.some(({ name }) => name.toLowerCase() === this.#into);
    if (replaced) {
      log.warn(
        { database: this.#into },
        'the database is dropped for the one that is restored: the server keeps a dump of it',
      );
      await this.#change(system, `dropping ${this.#into}`, dropStatement(this.#into));
    }
    log.info({ step: 'seed', database: this.#into }, 'step begins');
    try {
      await this.#change(system, `creating ${this.#into}`, seedStatement(this.#into), { uri: served.uri });
      await this.#seeded(system, served, Number(seed.transaction));
    } catch (thrown) {
      throw replaced ? dropped(asStillpointError(thrown), this.#into) : thrown;
    }
    log.info({ step: 'seed', database: this.#into, transaction: seed.transaction }, 'step done');
  }

  /** The statement has made it: it is of this run, and goes when it comes to nothing. */
  async #seeded(system: System, served: ServedFile, transaction: number): Promise<void> {
    try {
      await this.#online(system, served, transaction);
    } catch (thrown) {
      await this.#remove(system);
      throw thrown;
    }
  }

  /** A seed that is refused shows nowhere but there. */
  async #online(system: System, served: ServedFile, transaction: number): Promise<void> {
    const { clock, signal } = this.#world;
    for (;;) {
      const rows = (await knownOf(system, signal)).databases.filter(({ name }) => name.toLowerCase() === this.#into);
      const failed = rows.find(hasFailed);
      if (failed !== undefined) throw notSeeded(this.#into, failed, served.fetched());
      if (rows.length > 0 && rows.every(({ currentStatus }) => currentStatus === 'online')) {
        return assertTransaction(this.#into, rows, transaction);
      }
      await pauseFor(clock, RETRY_MS, signal);
    }
  }

  /** Users and roles first: whoever comes by the alias has to be let in. */
  async #handOver(system: System, seed: Seed): Promise<Switched | undefined> {
    const { signal, log, clock } = this.#world;
    for (const statement of seed.metadata) {
      await this.#change(system, `granting what the backup has on ${this.#into}`, statement, { database: this.#into });
    }
    if (seed.metadata.length > 0) log.info({ step: 'metadata', statements: seed.metadata.length }, 'step done');
    const { alias } = this.#request;
    if (alias === undefined) return undefined;
    const plan = switchTo({ alias, to: this.#into, now: clock.now() }, await knownOf(system, signal));
    const switched = await change(system, plan, signal);
    log.info({ step: 'switch', ...switched }, `alias ${alias} moved from ${switched.from} to ${switched.to}`);
    return switched;
  }

  /** With a time of its own: the run may have been stopped. */
  async #remove(system: System): Promise<void> {
    const { log, clock } = this.#world;
    using limit = timeLimit(
      clock,
      REMOVE_LIMIT_MS,
      () => new StillpointError('restore-failed', `no answer in ${REMOVE_LIMIT_MS / 1000} s`),
    );
    const statement = { statement: removeStatement(this.#into), database: SYSTEM } as const;
    await system.change(`removing ${this.#into}`, statement, limit.signal).catch((thrown: unknown) => {
      const { code, message } = asStillpointError(thrown);
      log.error({ code }, `database ${this.#into}, which is not good, could not be removed: ${message}`);
    });
  }

  async #change(
    system: System,
    what: string,
    statement: string,
    parameters: Readonly<Record<string, unknown>> = {},
  ): Promise<void> {
    await system.change(what, { statement, parameters, database: SYSTEM }, this.#world.signal);
  }

  #within<T>(work: (system: System) => Promise<T>): Promise<T> {
    return within(this.#open, this.#target, this.#world.signal, work);
  }
}

async function within<T>(
  open: OpenConnection,
  target: Target,
  signal: AbortSignal,
  work: (system: System) => Promise<T>,
): Promise<T> {
  const system = await open(target, configuredEndpoint(target), signal);
  try {
    return await work(system);
  } finally {
    await system.close();
  }
}

async function knownOf(system: System, signal: AbortSignal): Promise<Known> {
  const ask = async (what: string, statement: string): Promise<readonly Row[]> =>
    (await system.ask(what, statement, signal, SYSTEM)).rows;
  const databases = await ask('looking for databases', SHOW_DATABASES);
  const aliases = await ask('looking for aliases', SHOW_ALIASES);
  return { databases: databases.map(databaseOf), aliases: aliases.map(aliasOf) };
}

/** The edition too: Community makes no databases. */
async function versionOf(system: System, signal: AbortSignal): Promise<string> {
  const statement = 'CALL dbms.components() YIELD versions, edition';
  const [row] = (await system.ask('looking for the version', statement, signal, SYSTEM)).rows;
  const { versions, edition } = row ?? {};
  const version = String((Array.isArray(versions) ? versions : [])[0] ?? 'of no version');
  if (edition === 'enterprise') return version;
  throw new StillpointError('server-unsafe', `the server is Neo4j ${version} of the edition ${String(edition)}`, {
    hint: 'databases are made in a running server by the Enterprise edition alone; Neo4jDumpRestore puts a dump where a new server finds it',
  });
}

async function change(
  system: System,
  { move, switched }: ReturnType<typeof switchTo>,
  signal: AbortSignal,
): Promise<Switched> {
  await system.change(`moving alias ${switched.alias}`, move, signal);
  return switched;
}

/** It is good, and is not taken back for what did not come after it. */
function notHandedOver(error: StillpointError, database: string): StillpointError {
  return new StillpointError(error.code, error.message, {
    cause: error,
    exitCode: 7,
    hint: `database ${database} is restored and online; its roles, or the alias, are as far as this says: go on from there, or drop it and begin anew`,
  });
}

function dropped(error: StillpointError, database: string): StillpointError {
  return new StillpointError(error.code, error.message, {
    cause: error,
    hint: `what ${database} was is in a dump that the server has written when it dropped it: server.directories.dumps.root`,
  });
}

/** Before it is fetched it is not online either, and nothing is said of it. */
function hasFailed({ currentStatus, statusMessage = '' }: KnownDatabase): boolean {
  return statusMessage !== '' && !['online', 'starting', 'initial'].includes(currentStatus);
}

function notSeeded(
  database: string,
  { currentStatus, statusMessage }: KnownDatabase,
  fetched: number,
): StillpointError {
  const how = fetched === 0 ? 'it never fetched the whole of it' : 'it had fetched it';
  return new StillpointError(
    'restore-failed',
    `the server has ${database} ${currentStatus}: ${statusMessage}; ${how}`,
    {
      hint: "the server's debug.log says why; it has to reach this pod, and to have URLConnectionSeedProvider among dbms.databases.seed_from_uri_providers",
    },
  );
}

/** A server may have written something of its own since; it cannot have less. */
function assertTransaction(database: string, rows: readonly KnownDatabase[], transaction: number): void {
  const less = rows.find(({ lastCommittedTxn }) => lastCommittedTxn !== undefined && lastCommittedTxn < transaction);
  if (less === undefined) return;
  throw new StillpointError(
    'restore-differs',
    `${database} ends at transaction ${less.lastCommittedTxn} in the server, and what was restored at ${transaction}`,
  );
}
