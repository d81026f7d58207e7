/** What leads to a server, credentials included. */
import type { Connection } from '../src/contract';

/** The connection with the credentials read from their files. Never logged. */
export interface Target {
  readonly connection: Connection;
  readonly username: string;
  readonly password: string | undefined;
  readonly tls: TlsMaterial | undefined;
  /** The login at sentinels, where they want one. */
  readonly sentinel?: { readonly username: string; readonly password: string | undefined } | undefined;
  /** The engine's own settings, for engines that choose their server by them. */
  readonly options?: Readonly<Record<string, string>> | undefined;
  /** The labels of its pod, where it was found by such. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** What the containers of its pod are told by the variables that the engine asks for, where it was found by labels. */
  readonly environment?: Readonly<Record<string, string>> | undefined;
}

/** Of what has no server. */
export const NO_TARGET: Target = {
  connection: { host: 'none', port: 1, usernameFile: '' },
  username: '',
  password: undefined,
  tls: undefined,
};

export interface TlsMaterial {
  readonly mode: NonNullable<Connection['tls']>['mode'];
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}
