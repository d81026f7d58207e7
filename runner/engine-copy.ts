/** What an engine has to offer for copies that last: servers of their own, and the custom resource of a control plane. */
import type { BackupRecord } from '../src/contract';
import type { PreparedFiles } from './prepared-files';

/** What the resource of a copy is made for. */
export interface CopyOfResource {
  /** The Secret that is made for it; undefined where the record keeps no password. */
  readonly secretName: string | undefined;
  /** Sizes of the restored volumes, by their names in the backup. */
  readonly sizes: Readonly<Record<string, string | undefined>>;
}

export interface ResourceOfCopy {
  /** Of the engine's own knowledge: a record could name any kind, and have a person of many rights make it. */
  readonly apiVersion: string;
  readonly kind: string;
  readonly plural: string;
  readonly spec: Readonly<Record<string, unknown>>;
  /** What the keys of its Secret are called. */
  readonly keys: {
    /** The password that the copy is to have. */
    readonly password: string;
    /** The one that the restored files have: whoever sets the other logs in by it. */
    readonly recorded: string;
  };
}

/** A lasting server on prepared files. */
export interface EngineCopy {
  /**
   * The command of the server: as much on its own as the throw-away one, whatever arguments and files the original had
   * (safety rule 13), but reached by the network, and only by those who log in.
   */
  server(record: BackupRecord, prepared: PreparedFiles, about: CopyRequest): CopyServer;
  /** Runs a person's script on a throw-away server, in the engine's own language; stops at the first error. */
  run(socketDirectory: string, record: BackupRecord, script: Script, signal: AbortSignal): Promise<void>;
  /** Makes the files hold that the administrator logs in by this password, where the command of the server does not. */
  login(socketDirectory: string, record: BackupRecord, password: string, signal: AbortSignal): Promise<void>;
}

/** What a lasting server is made for. */
export interface CopyRequest {
  readonly socketDirectory: string;
  /** Where {@link CopyServer.files} will lie. */
  readonly filesDirectory: string;
  /** Of the administrator: letters and digits. */
  readonly password: string;
}

export interface CopyServer {
  readonly command: readonly string[];
  readonly port: number;
  /** Small files that the command reads, by name. They may hold the password. */
  readonly files: Readonly<Record<string, string>>;
  /** Who the administrator is; everybody else logs in as at the original, where logins are part of the data. */
  readonly username: string;
}

/** What a person has run on a copy before it is opened. */
export interface Script {
  readonly name: string;
  readonly text: string;
}
