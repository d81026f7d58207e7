import { type App, Chart, Size } from 'cdk8s';
import { Secret } from 'cdk8s-plus-28';
import {
  BackupSchedule,
  BackupStorage,
  DeploymentTool,
  Neo4jBackupType,
  Neo4jOnlineBackup,
  Neo4jOnlineRestore,
  PreDeploymentBackup,
} from 'stillpoint';

/**
 * The databases of a Neo4j Enterprise that aliases point to, every night and before each deployment; and one of them as it was, beside
 * the present one, with the alias moved to it.
 */
export function customers(app: App): Chart {
  const chart = new Chart(app, 'customers', { namespace: 'shop' });
  const server = {
    host: 'graph',
    credentials: Secret.fromSecretName(chart, 'login', 'graph-login'),
    serverImage: 'neo4j:2025-enterprise',
    storage: BackupStorage.volume({ claimName: 'graph-backups' }),
  };
  const backup = new Neo4jOnlineBackup(chart, 'customers', {
    ...server,
    backupServers: ['graph-0.graph:6362', 'graph-1.graph:6362'],
    aliases: ['customer*'],
    type: Neo4jBackupType.AUTO,
    schedule: BackupSchedule.daily({ hour: 2 }),
    retention: { keepDaily: 7, keepWeekly: 4, keepMonthly: 12 },
  });
  new PreDeploymentBackup(chart, 'release', { backup, tool: DeploymentTool.FLUX, revision: 'v2.1.0' });

  new Neo4jOnlineRestore(chart, 'customer1-back', {
    ...server,
    database: 'customers',
    backup: '20261126020000',
    switchAlias: 'customer1',
    scratch: { size: Size.gibibytes(50) },
  });
  return chart;
}
