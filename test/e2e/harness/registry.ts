import { Chart, Testing } from 'cdk8s';
import { GroupSnapshotClass, Registry, SnapshotClass } from 'stillpoint';
import { NEVER } from './never';

/** The class whose cuts take 5 s: in a class of the run's own, so that runs side by side do not disturb each other. */
export function slowClass(registry: string): string {
  return `${registry}-slow`;
}

/** What a cluster has once: the registry with its pruner, and classes of its name that keep the snapshots. */
export function registryObjects(name: string, image: string): ReturnType<Chart['toJson']> {
  const chart = new Chart(Testing.app(), 'registry');
  new Registry(chart, 'registry', { namespaceName: name, image, schedule: NEVER });
  new SnapshotClass(chart, 'single', { name, driver: 'disk.test' });
  new SnapshotClass(chart, 'slow', { name: slowClass(name), driver: 'disk.test', parameters: { cutDelayMs: '5000' } });
  new GroupSnapshotClass(chart, 'group', { name, driver: 'disk.test' });
  return chart.toJson();
}
