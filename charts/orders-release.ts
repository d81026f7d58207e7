import { type App, Chart } from 'cdk8s';
import { Secret } from 'cdk8s-plus-28';
import {
  BackupSchedule,
  BackupVolume,
  DeploymentTool,
  InPlaceAccess,
  PostgresBackup,
  PreDeploymentBackup,
  SnapshotClass,
} from 'stillpoint';

/**
 * A backup before each deployment: as a hook of Argo CD, and as a Job for Flux (one of the two is what you want). And the
 * rights for those who may go back to it in place.
 */
export function ordersRelease(app: App): Chart {
  const chart = new Chart(app, 'orders-release', { namespace: 'shop' });
  const backup = new PostgresBackup(chart, 'invoices-db', {
    host: 'invoices-db',
    credentials: Secret.fromSecretName(chart, 'login', 'invoices-db'),
    volumes: [BackupVolume.fromStatefulSet('invoices-db', 'data')],
    snapshotClass: SnapshotClass.fromName('stillpoint'),
    schedule: BackupSchedule.daily({ hour: 3 }),
  });
  new PreDeploymentBackup(chart, 'presync', { backup, tool: DeploymentTool.ARGO_CD });
  new PreDeploymentBackup(chart, 'release', { backup, tool: DeploymentTool.FLUX, revision: 'v1.42.0' });
  new InPlaceAccess(chart, 'dba-in-place', { group: 'dba', namespaces: ['shop'] });
  return chart;
}
