import { type App, Chart } from 'cdk8s';
import { BackupSchedule, ScheduledClone } from 'stillpoint';

/** A staging copy of the orders, new each morning, without names and addresses, in a namespace of its own. */
export function staging(app: App): Chart {
  const chart = new Chart(app, 'staging', { namespace: 'staging' });
  new ScheduledClone(chart, 'orders', {
    database: 'orders-db',
    databaseNamespace: 'shop',
    schedule: BackupSchedule.daily({ hour: 5 }),
    scripts: {
      '10-customers.sql': "UPDATE customers SET name = 'customer ' || id, email = id || '@example.com';\n",
      '20-sessions.sql': 'TRUNCATE sessions;\n',
    },
  });
  return chart;
}
