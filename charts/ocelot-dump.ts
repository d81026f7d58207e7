import { type App, Chart, Size } from 'cdk8s';
import { PersistentVolumeAccessMode, PersistentVolumeClaim, Secret } from 'cdk8s-plus-28';
import { BackupSchedule, BackupStorage, Neo4jDump, Neo4jDumpRestore, Neo4jStore } from 'stillpoint';

/** The graph of Ocelot dumped to a bucket every night, from a copy of its claim while it runs; and one dump in a claim for a new server. */
export function ocelotDump(app: App): Chart {
  const chart = new Chart(app, 'ocelot-dump', { namespace: 'ocelot' });
  const size = Size.gibibytes(1);
  const shared = {
    serverImage: 'neo4j:5-community',
    storage: BackupStorage.s3({
      bucket: 'backups-of-ocelot',
      region: 'eu-central-1',
      credentials: Secret.fromSecretName(chart, 'keys', 'store'),
    }),
  };
  new Neo4jDump(chart, 'ocelot-dump', {
    ...shared,
    store: Neo4jStore.copyOfClaim('volume-claim-ocelot-neo4j', { size }),
    schedule: BackupSchedule.daily({ hour: 3 }),
    retention: { keepDaily: 7, keepWeekly: 4 },
  });

  const claim = new PersistentVolumeClaim(chart, 'claim', {
    metadata: { name: 'ocelot-neo4j-from-dump' },
    accessModes: [PersistentVolumeAccessMode.READ_WRITE_ONCE],
    storage: size,
  });
  new Neo4jDumpRestore(chart, 'ocelot-dump-copy', {
    ...shared,
    database: 'ocelot-dump',
    backup: '20261121030000',
    claimName: claim.name,
  });
  return chart;
}
