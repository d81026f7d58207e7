/**
 * What the contract suite (test/e2e/contract*.test.ts) needs of an engine on the cluster. One file beside this one
 * implements it for each image, and index.ts lists them.
 */
import type { DatabaseBackupProps } from 'stillpoint';
import type { Engine, Plan, PlanRequest, Target } from '../../../runner/engine';
import type { ErrorCode } from '../../../runner/errors';
import type { LedgerClient } from '../../ledger/writer';
import type { TestPolicy } from '../harness/policy';

/**
 * What servers are asked for that some kinds of them do not have: `login`, a user with a password; `rights`, users that may do
 * different things; `host`, a policy that names its server and its claims; `session`, a connection whose loss is noticed.
 */
export type Face = 'login' | 'rights' | 'host' | 'session';

/** A kind of server, by its image. */
export interface EngineAdapter {
  /** For the titles of tests. A stand-in is called one: `MongoDB (a stand-in)`. */
  readonly title: string;
  /** What names of its objects begin with: `mariadb`. */
  readonly name: string;
  readonly image: string;
  /** The runner's own: the suite opens sessions of it without a Job as well. */
  readonly engine: Engine;
  /** What it does not have. The cases that need it are left out. @default - it has all */
  readonly without?: readonly Face[];
  /** All that it promises, the default first. */
  readonly modes: readonly [EngineMode, ...EngineMode[]];
  /** Starts a server, and waits until it accepts connections. */
  start(options: StartOptions): Promise<TestServer>;
}

/** One way of backing it up, and what that promises. */
export interface EngineMode {
  /** `global`, `aof`: for titles and names. */
  readonly name: string;
  /** How its server has to be started. Modes of one setup share a server. */
  readonly setup: string;
  readonly layout: string;
  readonly freezes: Plan['freezes'];
  /** Whether the copy ends exactly at the recorded position. */
  readonly exact: boolean;
  /**
   * It is held by whoever runs its pods, not by its session: what is asked of a session alone is left out, and so is how long a
   * commit waits, since a server that is started again takes its time.
   */
  readonly fromOutside?: true;
  /** The warning that says that the newest commits may be missing. Without one, none may. */
  readonly mayLose?: RegExp;
  /**
   * The code by which a second freeze is refused while one holds, by the checks or after waiting for it. Left out where
   * two go together, and only the Lease keeps them apart.
   */
  readonly secondFreeze?: ErrorCode;
  /**
   * What lets it go is something else than in the first mode that holds anything: `npm run soak` puts it to the dead man's switch,
   * too.
   */
  readonly undoneOtherwise?: true;
}

export interface StartOptions {
  readonly namespace: string;
  /** The name of its Service. */
  readonly name: string;
  readonly setup: EngineMode['setup'];
}

/** What a test may say of a policy; the rest is as a user would have it. */
export interface ContractPolicy
  extends Partial<Pick<DatabaseBackupProps, 'host' | 'budget' | 'volumes' | 'directCut'>> {
  /** Its name, and that of its database. */
  readonly name: string;
  /** @default - one that retains */
  readonly className?: string;
  /** Another Secret than the server's. */
  readonly credentials?: string;
}

/** Something that goes on at a server until it is told to end. */
export interface Ongoing {
  end(): Promise<void>;
}

/** What a test asks of a server that a stand-in may not be able to do: why it is not. Its tests are skipped with that reason. */
export interface Unmet {
  readonly withoutRight?: string;
  readonly obstruct?: string;
  readonly longStatement?: string;
  /** {@link TestServer.held} sees what is locked and set, and no sessions. */
  readonly sessions?: string;
  /** What a throw-away server says of what it cannot compare. */
  readonly inspection?: RegExp;
}

/** A running server of a test. */
export interface TestServer {
  /** The name of its Service, which leads to the pods with the label `app` of that name. */
  readonly name: string;
  readonly namespace: string;
  /** The pod whose claims are cut; the first one where there are several. */
  readonly pod: string;
  /** The claims, by the names of their volumes in a backup. */
  readonly claims: Readonly<Record<string, string>>;
  /** @default - all is met */
  readonly unmet?: Unmet;
  /** What no log, record or Event may hold. */
  readonly secrets: readonly string[];
  /** A client of the user's own, as an administrator, without a Service in between. */
  connect(): Promise<TestClient>;
  /** Makes a policy of a mode, and applies it. */
  policy(mode: EngineMode, options: ContractPolicy): Promise<TestPolicy>;
  /** What a runner opens its session with. */
  target(): Promise<Target>;
  request(mode: EngineMode): PlanRequest;
  /** A server of the user's own on restored claims, detached or not, as the documentation says to start one. */
  startCopy(name: string, claims: Readonly<Record<string, string>>): Promise<TestClient>;
  /** What is in force for a backup now, in words: sessions of its user, locks, settings. Nothing when all is undone. */
  held(): Promise<readonly string[]>;
  /** Takes a right from the backup's user that every mode needs, until it is ended. */
  withoutRight(): Promise<Ongoing>;
  /**
   * Something at work that the freeze of a mode waits for, in vain, and that nobody sees coming. Left out where no freeze
   * waits for anything.
   */
  obstruct?(): Promise<Ongoing>;
  /**
   * A statement that the freeze would wait for, at work for long enough to be seen, which the checks refuse by
   * `long-running-statement`. Left out where there is no such thing.
   */
  longStatement?(): Promise<Ongoing>;
}

/** A client's connection to a server, or to a copy. */
export interface TestClient extends LedgerClient {
  /** Where the server stands, by the names of the record's position: all that an exact copy has in common with it. */
  position(): Promise<Readonly<Record<string, string>>>;
  /** How many changes its position stands for, where a row of the ledger is one of them. */
  changes?(): Promise<number>;
  /** Makes something of the kind that the freeze `table-definitions` holds off. */
  define?(name: string): Promise<void>;
}
