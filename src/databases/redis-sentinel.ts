import type { ISecret } from 'cdk8s-plus-28';

/** Sentinels that say which server of a Redis or Valkey deployment is the master, and which are its replicas. */
export interface RedisSentinel {
  /** The name that the sentinels have for the master (`sentinel monitor <name> …`). */
  readonly masterName: string;

  /**
   * The sentinels, as `host` or `host:port`; the port is 26379 where none is said. All are asked, and the newest of their answers
   * counts, so name each: a sentinel that is cut off goes on naming a master that has been replaced.
   *
   * @default - the host of the policy, which then leads to a sentinel as well
   */
  readonly addresses?: string[];

  /**
   * The Secret with the login at the sentinels.
   *
   * @default - none: sentinels let in anybody
   */
  readonly credentials?: ISecret;

  /**
   * The key of the user name at the sentinels in that Secret.
   *
   * @default - none: sentinels with a password and no users
   */
  readonly usernameKey?: string;

  /**
   * The key of the password at the sentinels in that Secret.
   *
   * @default 'password'
   */
  readonly passwordKey?: string;
}
