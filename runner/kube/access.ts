/**
 * How this process reaches the Kubernetes API: the pod's own account, or a kubeconfig.
 *
 * In a pod all that is needed is a token file and a certificate, so nothing is loaded for it. Kubeconfigs with their
 * exec plugins, OIDC and proxies are client-node's work; it is imported only then (docs/decisions/0007-kubernetes-client.md).
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { Agent as HttpAgent, type RequestOptions } from 'node:http';
import { Agent as HttpsAgent, type RequestOptions as HttpsRequestOptions } from 'node:https';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { StillpointError } from '../errors';
import type { KubeConfig } from './kubeconfig';

const ACCOUNT_FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';

/** Where the API is, and what a request to it carries. */
export interface KubeAccess {
  readonly server: URL;
  /** The namespace of the account's pod or of the kubeconfig's context. */
  readonly namespace: string | undefined;
  /** Agent and headers for one request. Asked for each time: tokens are short-lived. */
  options(): Promise<RequestOptions>;
}

/** Which cluster is meant, as the command line has it. */
export interface KubeAccessRequest {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** A context of the kubeconfig; its current one when left out. */
  readonly context?: string | undefined;
  /** A kubeconfig file; KUBECONFIG or ~/.kube/config when left out. */
  readonly kubeconfig?: string | undefined;
}

/**
 * Finds the way to the API: a kubeconfig that was named, else the pod's account, else the default kubeconfig.
 * Throws kubernetes-unreachable when there is none.
 */
export async function kubeAccess(request: KubeAccessRequest): Promise<KubeAccess> {
  // An empty variable is none, as with kubectl.
  const named = request.kubeconfig ?? (request.env.KUBECONFIG || undefined);
  const host = request.env.KUBERNETES_SERVICE_HOST;
  if (named === undefined && request.context === undefined && host !== undefined) {
    if (existsSync(join(ACCOUNT_FOLDER, 'token'))) return podAccess(host, request.env.KUBERNETES_SERVICE_PORT);
  }
  const { file, files } = kubeconfigFiles(request);
  if (!files.some((path) => existsSync(path))) {
    throw new StillpointError('kubernetes-unreachable', `there is no kubeconfig at ${file}, and this is no pod`, {
      hint: 'set KUBECONFIG, or name a file with --kubeconfig',
    });
  }
  return kubeconfigAccess(file, files, request.context);
}

async function podAccess(host: string, port = '443'): Promise<KubeAccess> {
  const [ca, namespace] = await Promise.all([
    readFile(join(ACCOUNT_FOLDER, 'ca.crt'), 'utf8'),
    readFile(join(ACCOUNT_FOLDER, 'namespace'), 'utf8').catch(() => undefined),
  ]);
  const agent = new HttpsAgent({ keepAlive: true, ca });
  return {
    server: new URL(`https://${host.includes(':') ? `[${host}]` : host}:${port}`),
    namespace: namespace?.trim(),
    options: async () => {
      // The kubelet replaces the token long before it ends; reading the file each time is cheaper than knowing when.
      const token = await readFile(join(ACCOUNT_FOLDER, 'token'), 'utf8');
      return { agent, headers: { Authorization: `Bearer ${token.trim()}` } };
    },
  };
}

/** The contexts of the kubeconfig that is meant. */
export async function contextNames(request: Omit<KubeAccessRequest, 'context'>): Promise<readonly string[]> {
  const { file, files } = kubeconfigFiles(request);
  return (await loadKubeconfig(file, files)).getContexts().map(({ name }) => name);
}

function kubeconfigFiles({ kubeconfig, env }: KubeAccessRequest): {
  readonly file: string;
  readonly files: readonly string[];
} {
  // An empty variable is none, as with kubectl.
  const file = kubeconfig ?? (env.KUBECONFIG || join(homedir(), '.kube', 'config'));
  return { file, files: file.split(':').filter((path) => path !== '') };
}

async function loadKubeconfig(named: string, files: readonly string[]): Promise<KubeConfig> {
  const { KubeConfig } = await import('./kubeconfig');
  const config = new KubeConfig();
  try {
    for (const [index, file] of files.filter((path) => existsSync(path)).entries()) {
      if (index === 0) config.loadFromFile(file);
      else {
        const more = new KubeConfig();
        more.loadFromFile(file);
        config.mergeConfig(more, true);
      }
    }
  } catch (cause) {
    throw unusable(`the kubeconfig ${named} cannot be read`, 'Look at it with: kubectl config view', cause);
  }
  return config;
}

async function kubeconfigAccess(
  named: string,
  files: readonly string[],
  context: string | undefined,
): Promise<KubeAccess> {
  const config = await loadKubeconfig(named, files);
  if (context !== undefined && config.getContextObject(context) === null) {
    const known = config.getContexts().map((each) => each.name);
    throw unusable(`the kubeconfig ${named} has no context ${context}`, `It has: ${known.join(', ')}.`);
  }
  if (context !== undefined) config.setCurrentContext(context);
  const cluster = config.getCurrentCluster();
  if (cluster === null) {
    throw unusable(`the kubeconfig ${named} has no current context`, 'Name one with --context.');
  }
  let agent: RequestOptions['agent'];
  return {
    server: new URL(cluster.server),
    namespace: config.getContextObject(config.getCurrentContext())?.namespace,
    options: async () => {
      const options: HttpsRequestOptions = {};
      await config.applyToHTTPSOptions(options);
      agent ??= keptAlive(cluster, options);
      const headers = { ...(options.headers as Record<string, string> | undefined) };
      if (options.auth) headers.Authorization = `Basic ${Buffer.from(options.auth).toString('base64')}`;
      return { agent, headers };
    },
  };
}

/** client-node's own agents open a connection for each request; a proxy's agent is taken as it is. */
function keptAlive(
  cluster: { readonly server: string; readonly proxyUrl?: string | undefined },
  options: HttpsRequestOptions,
): RequestOptions['agent'] {
  if (cluster.proxyUrl) return options.agent;
  if (cluster.server.startsWith('http:')) return new HttpAgent({ keepAlive: true });
  const { ca, cert, key, passphrase, rejectUnauthorized, servername } = options;
  const given = { ca, cert, key, passphrase, rejectUnauthorized, servername };
  return new HttpsAgent({
    keepAlive: true,
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
  });
}

function unusable(message: string, hint: string, cause?: unknown): StillpointError {
  return new StillpointError('kubernetes-unreachable', message, { hint, cause });
}
