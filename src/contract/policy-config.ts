/** What a runner may be told to do, and how the kinds are told apart. */
import { COPY_CONFIG_KIND, type CopyConfig } from './copy-config';
import { DUMP_CONFIG_KIND, type DumpConfig } from './dump-config';
import { GROUP_CONFIG_KIND, type JobConfig, type SnapshotConfig } from './job-config';

/** What a runner is told to do, whatever of it. */
export type PolicyConfig = SnapshotConfig | DumpConfig | CopyConfig;

/** Whether a policy takes dumps by an engine's own tool. */
export function isDump(config: PolicyConfig): config is DumpConfig {
  return config.kind === DUMP_CONFIG_KIND;
}

/** Whether a policy copies the snapshots of another one off the cluster. */
export function isCopy(config: PolicyConfig): config is CopyConfig {
  return config.kind === COPY_CONFIG_KIND;
}

/** Whether a policy takes snapshots. */
export function isSnapshot(config: PolicyConfig): config is SnapshotConfig {
  return !isDump(config) && !isCopy(config);
}

/** Why one backup is taken: outside the schedule of its policy. */
export type Occasion = Pick<JobConfig['spec'], 'trigger' | 'revision'>;

/** The same policy, for a backup of another occasion. */
export function onOccasion(config: PolicyConfig, occasion: Occasion): PolicyConfig {
  if (config.kind === GROUP_CONFIG_KIND) return { ...config, spec: { ...config.spec, ...occasion } };
  if (config.kind === DUMP_CONFIG_KIND) return { ...config, spec: { ...config.spec, ...occasion } };
  if (config.kind === COPY_CONFIG_KIND) return { ...config, spec: { ...config.spec, ...occasion } };
  return { ...config, spec: { ...config.spec, ...occasion } };
}
