import type { Construct } from 'constructs';
import type { BackupPolicyProps, DatabaseProps } from './backup-props';
import { checkDatabase, checkLabel } from './checks';
import { connectionVolumes } from './connection';
import { type Connection, type MemberConfig, MOUNTS } from './contract';
import { databaseOf, type EngineDefinition } from './job-config';
import type { MountedVolume } from './runner-pod';

/**
 * One member of a {@link BackupGroup}: a database, or plain volumes. Each engine has a class of its own, as `PostgresMember`.
 */
export abstract class GroupMember {
  /** The member's name within the group: its volumes are called `<volume>-<name>` in the backup. */
  public readonly name: string;

  protected constructor(name: string) {
    this.name = name;
  }

  /**
   * Whether something of its freeze outlives its session.
   *
   * @internal
   */
  public abstract _guarded(): boolean;

  /** @internal */
  public abstract _config(group: Construct, policy: BackupPolicyProps): MemberConfig;

  /** @internal */
  public abstract _secrets(): readonly MountedVolume[];
}

/** A member that has a server. */
export abstract class DatabaseMember extends GroupMember {
  private readonly database: DatabaseProps;

  constructor(name: string, props: DatabaseProps) {
    super(name);
    this.database = props;
  }

  /** @internal */
  protected abstract _engine(): EngineDefinition;

  /**
   * What speaks against it in this group. Throws the first problem.
   *
   * @internal
   */
  protected abstract _check(group: Construct, policy: BackupPolicyProps): void;

  /** @internal */
  public _guarded(): boolean {
    const { guarded, offline } = this._engine();
    return guarded === true || offline !== undefined || (this.database.hooks ?? []).length > 0;
  }

  /** @internal */
  public _config(group: Construct, policy: BackupPolicyProps): MemberConfig {
    checkLabel(group, `member ${this.name}`, this.name);
    checkDatabase(group, this.database);
    this._check(group, policy);
    const config = databaseOf(group, this.database, this._engine());
    return config.connection === undefined ? config : { ...config, connection: inFolder(config.connection, this.name) };
  }

  /**
   * Each member's files in a folder of its own.
   *
   * @internal
   */
  public _secrets(): readonly MountedVolume[] {
    const own = connectionVolumes(this.database).map((mounted) => ({
      ...mounted,
      volume: { ...mounted.volume, name: `${mounted.volume.name}-${this.name}` },
      path: `${mounted.path}/${this.name}`,
    }));
    return [...own, ...(this.database.hooks ?? []).flatMap((hook) => hook._secrets())];
  }
}

/** The connection with its files in the member's folder. */
function inFolder(connection: Connection, member: string): Connection {
  const roots = [MOUNTS.credentials, MOUNTS.tls];
  const text = JSON.stringify(connection, (_, value: unknown) => {
    const root = typeof value === 'string' ? roots.find((each) => value.startsWith(`${each}/`)) : undefined;
    return root === undefined ? value : `${root}/${member}${(value as string).slice(root.length)}`;
  });
  return JSON.parse(text) as Connection;
}
