import { type App, Chart } from 'cdk8s';
import { Secret } from 'cdk8s-plus-28';
import {
  BackupGroup,
  BackupSchedule,
  BackupVolume,
  FreezeHook,
  HookPod,
  NameDate,
  Neo4jMember,
  SnapshotClass,
  VolumeMember,
  Weekday,
  WorkloadRef,
} from 'stillpoint';

/**
 * Ocelot: a graph in Neo4j Community and the uploads that it speaks of, in one backup. Community cannot hold its writes, so
 * each night the file systems of both claims are frozen for the moment of the cut, in a container `freezer` that stands
 * beside each program (docs/neo4j.md). On Sundays both are stopped: the files are then closed.
 */
export function ocelot(app: App): Chart {
  const chart = new Chart(app, 'ocelot', { namespace: 'ocelot' });
  const graph = {
    host: 'ocelot-neo4j',
    credentials: Secret.fromSecretName(chart, 'login', 'ocelot-neo4j-login'),
    volumes: [BackupVolume.fromClaimName('volume-claim-ocelot-neo4j')],
  };
  const uploads = { volumes: [BackupVolume.fromClaimName('volume-claim-ocelot-uploads', { name: 'files' })] };
  const frozen = (app: string, mountPath: string): FreezeHook =>
    FreezeHook.fileSystem(app, { pod: HookPod.withLabels({ app }), container: 'freezer', mountPath });
  const kept = { snapshotClass: SnapshotClass.fromName('stillpoint'), nameDate: NameDate.DAY };

  new BackupGroup(chart, 'ocelot', {
    members: [
      new VolumeMember('uploads', { ...uploads, hooks: [frozen('ocelot-backend', '/app/public/uploads')] }),
      new Neo4jMember('neo4j', { ...graph, hooks: [frozen('ocelot-neo4j', '/data')] }),
    ],
    schedule: BackupSchedule.daily({ hour: 2 }),
    ...kept,
  });
  // Who writes is stopped first.
  new BackupGroup(chart, 'ocelot-offline', {
    members: [
      new VolumeMember('uploads', { ...uploads, offline: WorkloadRef.deployment('ocelot-backend') }),
      new Neo4jMember('neo4j', { ...graph, offline: WorkloadRef.deployment('ocelot-neo4j') }),
    ],
    schedule: BackupSchedule.weekly({ weekday: Weekday.SUNDAY, hour: 4 }),
    ...kept,
  });
  return chart;
}
