import { type App, Chart, Size } from 'cdk8s';
import { RestoreClaim } from 'stillpoint';

/** Both claims of one backup of Ocelot, beside the originals: those of one day, by its date. */
export function ocelotRestore(app: App): Chart {
  const chart = new Chart(app, 'ocelot-restore', { namespace: 'ocelot' });
  const of = { database: 'ocelot', backup: '20261121020000' };
  const size = Size.gibibytes(1);
  new RestoreClaim(chart, 'ocelot-neo4j-copy', {
    ...of,
    volumes: [{ name: 'data-neo4j', snapshotName: 'ocelot-data-neo4j-2026-11-21', mountPath: '/data', size }],
    runAsUser: 7474,
  });
  new RestoreClaim(chart, 'ocelot-uploads-copy', {
    ...of,
    volumes: [
      {
        name: 'files-uploads',
        snapshotName: 'ocelot-files-uploads-2026-11-21',
        mountPath: '/volumes/files-uploads',
        size,
      },
    ],
  });
  return chart;
}
