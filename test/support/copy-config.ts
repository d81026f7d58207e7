import type { CopyConfig } from '../../src/contract';

/** What the runner is told of a policy that copies the backups of orders-db in shop, of a volume `data` and a volume `wal`. */
export function copyConfig(
  storage: CopyConfig['spec']['storage'],
  copy: Partial<CopyConfig['spec']['copy']> = {},
): CopyConfig {
  return {
    apiVersion: 'stillpoint.dev/v1',
    kind: 'CopyConfig',
    metadata: { name: 'orders-copy-backup', namespace: 'shop' },
    spec: {
      engine: 'postgres',
      of: 'orders-db',
      database: 'orders-copy',
      copy: {
        compression: 'zstd',
        volumes: ['data', 'wal'].map((name) => ({ name, claim: `orders-copy-backup-${name}` })),
        worker: 'orders-copy-backup-worker',
        order: 'orders-copy-backup-order',
        runAsUser: 999,
        ...copy,
      },
      storage,
      registry: { namespace: 'stillpoint' },
    },
  };
}
