import { type App, Chart } from 'cdk8s';
import { Registry, SnapshotClass } from 'stillpoint';

/** What a cluster has once: the registry with its pruner, and a class that keeps the snapshots. */
export function registry(app: App): Chart {
  const chart = new Chart(app, 'registry');
  new Registry(chart, 'registry');
  new SnapshotClass(chart, 'stillpoint', { driver: 'disk.csi.example.com' });
  return chart;
}
