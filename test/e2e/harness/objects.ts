/** What every test's server is made of: the objects of a StatefulSet, as users write them. */
import type { Anything } from './cluster';

/** A server of one pod or several, each with claims of its own. */
export interface StatefulServer {
  readonly namespace: string;
  /** Of the StatefulSet, its Service, and the label `app` of the pod. */
  readonly name: string;
  readonly port: number;
  /** @default 1 */
  readonly replicas?: number;
  readonly pod: object;
  /** The names of its claims' templates. */
  readonly volumes: readonly string[];
  /** The name of a headless Service by which its pods have names of their own, also before they are ready. */
  readonly members?: string;
}

/** Its StatefulSet and its Service. */
export function statefulServer(server: StatefulServer): readonly Anything[] {
  const { namespace, name, port, pod, volumes, members, replicas = 1 } = server;
  const metadata = { name, namespace, labels: { app: name } };
  return [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: { selector: { app: name }, ports: [{ name: 'server', port }] },
    },
    ...(members === undefined
      ? []
      : [
          {
            apiVersion: 'v1',
            kind: 'Service',
            metadata: { ...metadata, name: members },
            spec: {
              clusterIP: 'None',
              publishNotReadyAddresses: true,
              selector: { app: name },
              ports: [{ name: 'server', port }],
            },
          },
        ]),
    {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata,
      spec: {
        serviceName: members ?? name,
        replicas,
        podManagementPolicy: 'Parallel',
        selector: { matchLabels: { app: name } },
        template: { metadata: { labels: { app: name } }, spec: pod },
        volumeClaimTemplates: volumes.map((volume) => ({
          metadata: { name: volume },
          spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
        })),
      },
    },
  ];
}

/** A Secret with values as they are. */
export function secret(
  { name, namespace }: { readonly name: string; readonly namespace: string },
  stringData: Readonly<Record<string, string>>,
): Anything {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace }, stringData } as Anything;
}
