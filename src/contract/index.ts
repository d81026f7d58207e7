/** What the constructs and the runner share. Pure: it imports nothing outside this folder. */

export * from './access';
export type { AccessNeed, AccessScope } from './access-needs';
export * from './access-of-copies';
export * from './access-of-dumps';
export * from './access-of-others';
export * from './copy-config';
export * from './dump-config';
export * from './engines';
export * from './exported';
export * from './hooks';
export {
  CONNECTION,
  type Connection,
  DATABASE_RESOURCE,
  type DatabaseResource,
  DEFAULT_SLOTS,
  GROUP_CONFIG,
  GROUP_CONFIG_KIND,
  type GroupConfig,
  JOB_CONFIG,
  JOB_CONFIG_KIND,
  JOB_DEFAULTS,
  type JobConfig,
  type MemberConfig,
  MOUNTS,
  membersOf,
  SERVERS,
  type ServerSelection,
  SNAPSHOT_CONTROLLER,
  type SnapshotConfig,
  TLS_MODES,
  type TlsMode,
  TRIGGERS,
  type Trigger,
  VOLUME,
  type VolumeRole,
  type VolumeSelection,
} from './job-config';
export * from './labels';
export * from './names';
export * from './next-run';
export * from './periods';
export * from './policy';
export * from './policy-config';
export * from './record';
export * from './retention';
export * from './retention-plan';
export type { Infer, JsonSchema, Schema } from './schema';
export * from './store-config';
export * from './validate';
export * from './version';
