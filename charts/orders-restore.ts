import { type App, Chart, Size } from 'cdk8s';
import { RestoreClaim } from 'stillpoint';

/** A named backup as new claims beside the original, prepared for a server of the `postgres` image (user 999). */
export function ordersRestore(app: App): Chart {
  const chart = new Chart(app, 'orders-restore', { namespace: 'shop' });
  new RestoreClaim(chart, 'orders-copy', {
    database: 'orders-db',
    backup: '20261121020000',
    volumes: [
      { name: 'data', mountPath: '/var/lib/postgresql/data', size: Size.gibibytes(10), storageClassName: 'disk' },
    ],
    runAsUser: 999,
  });
  return chart;
}
