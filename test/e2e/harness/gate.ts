/**
 * Holds the writes of a runner at the door of the API server, so that a test can stop the world at exactly one step: an
 * admission webhook that runs in the test. The product has no hooks for tests.
 */
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { selfSigned } from './certificate';
import { type Anything, apply, KINDS, remove } from './cluster';
import { uniqueName } from './namespace';
import { thisRun } from './this-run';
import { eventually } from './wait';

/** A write that somebody asks the API server for. */
export interface Write {
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE';
  /** The plural, as `configmaps`. */
  readonly resource: string;
  readonly name: string;
  readonly namespace: string;
  readonly user: string;
  /** The object as it would be; undefined when it is deleted. */
  readonly object: Anything | undefined;
}

/** A write at the door. */
export interface HeldWrite {
  readonly write: Write;
  /** Lets it through. */
  allow(): void;
  /** Sends it away: nothing is written. */
  refuse(): void;
}

/** The door. */
export interface Gate extends AsyncDisposable {
  /** Holds the next write that matches; the others go through. It lasts for 30 s, then the API server lets it through. */
  hold(matches: (write: Write) => boolean): Promise<HeldWrite>;
}

interface Review {
  readonly request: {
    readonly uid: string;
    readonly operation: Write['operation'];
    readonly resource: { readonly resource: string };
    readonly name?: string;
    readonly namespace?: string;
    readonly userInfo: { readonly username: string };
    readonly object: Anything | null;
    readonly dryRun?: boolean;
  };
}

/** Opens a gate for the writes to a namespace and to the registry of this run. */
export async function openGate(namespace: string): Promise<Gate> {
  const waiting: { readonly matches: (write: Write) => boolean; readonly take: (held: HeldWrite) => void }[] = [];
  let seen = 0;
  const { server, certificate } = await serve((write, answer, rehearsed) => {
    if (rehearsed) return answer(true);
    seen += 1;
    const index = waiting.findIndex(({ matches }) => matches(write));
    if (index === -1) answer(true);
    else waiting.splice(index, 1)[0]?.take({ write, allow: () => answer(true), refuse: () => answer(false) });
  });
  const name = uniqueName('e2e-gate');
  const { port } = server.address() as AddressInfo;
  await apply([webhook(name, `https://127.0.0.1:${port}/`, certificate, [namespace, thisRun.registry])]);
  await eventually('the API server asks at the gate', async () => {
    await apply([
      { ...KINDS.configMap, metadata: { name, namespace }, data: { tried: `${seen} ${Date.now()}` } } as Anything,
    ]);
    return seen > 0;
  });
  return {
    hold: (matches) => new Promise((take) => waiting.push({ matches, take })),
    [Symbol.asyncDispose]: async () => {
      await remove(WEBHOOK, name);
      server.closeAllConnections();
      server.close();
    },
  };
}

const WEBHOOK = { apiVersion: 'admissionregistration.k8s.io/v1', kind: 'ValidatingWebhookConfiguration' } as const;

function webhook(name: string, url: string, certificate: string, namespaces: readonly string[]): Anything {
  const rule = (apiGroups: string[], resources: string[]): object => ({
    apiGroups,
    apiVersions: ['*'],
    resources,
    operations: ['CREATE', 'UPDATE', 'DELETE'],
  });
  return {
    ...WEBHOOK,
    metadata: { name },
    webhooks: [
      {
        name: 'gate.stillpoint.test',
        clientConfig: { url, caBundle: Buffer.from(certificate).toString('base64') },
        rules: [
          rule([''], ['configmaps', 'persistentvolumeclaims', 'pods']),
          rule(['apps'], ['statefulsets', 'deployments']),
          rule(['batch'], ['jobs']),
          rule(['coordination.k8s.io'], ['leases']),
          rule(['snapshot.storage.k8s.io'], ['volumesnapshots']),
          rule(['groupsnapshot.storage.k8s.io'], ['volumegroupsnapshots']),
        ],
        namespaceSelector: {
          matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'In', values: namespaces }],
        },
        admissionReviewVersions: ['v1'],
        sideEffects: 'None',
        failurePolicy: 'Ignore',
        timeoutSeconds: 30,
      },
    ],
  };
}

async function serve(
  decide: (write: Write, answer: (allowed: boolean) => void, rehearsed: boolean) => void,
): Promise<{ readonly server: Server; readonly certificate: string }> {
  const { key, certificate } = await selfSigned('IP:127.0.0.1');
  const server = createServer({ key, cert: certificate }, (request, response) => {
    void json(request).then((body) => {
      const { request: asked } = body as Review;
      const { uid, operation, resource, object, userInfo, name, namespace = '' } = asked;
      const write = {
        operation,
        resource: resource.resource,
        name: name ?? object?.metadata?.name ?? '',
        namespace,
        user: userInfo.username,
        object: object ?? undefined,
      };
      const answer = (allowed: boolean): void => {
        response.setHeader('content-type', 'application/json');
        response.end(
          JSON.stringify({
            apiVersion: 'admission.k8s.io/v1',
            kind: 'AdmissionReview',
            response: { uid, allowed, ...(allowed ? {} : { status: { code: 403, message: 'the gate is closed' } }) },
          }),
        );
      };
      decide(write, answer, asked.dryRun === true);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, certificate };
}
