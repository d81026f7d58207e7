import { request } from 'node:https';
import { text } from 'node:stream/consumers';
import { KubeConfig } from '@kubernetes/client-node';
import type { Anything } from './cluster';

interface Resource {
  readonly name: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

/**
 * Asks the API server whether it would take an object as it is, unknown and repeated fields refused. Nothing is made.
 * By hand, because the client leaves out the fields that it does not know before it sends anything.
 */
export async function wouldApply(object: Anything): Promise<void> {
  const { apiVersion = '', kind = '', metadata } = object;
  const group = apiVersion.includes('/') ? `apis/${apiVersion}` : `api/${apiVersion}`;
  const { resources }: { resources: Resource[] } = JSON.parse(await ask('GET', group));
  const resource = resources.find((each) => each.kind === kind && !each.name.includes('/'));
  if (resource === undefined) throw new Error(`the API server has no ${kind} in ${apiVersion}`);
  const namespace = resource.namespaced ? `namespaces/${metadata?.namespace}/` : '';
  const query = 'dryRun=All&fieldValidation=Strict&fieldManager=stillpoint-e2e&force=true';
  await ask('PATCH', `${group}/${namespace}${resource.name}/${metadata?.name}?${query}`, JSON.stringify(object));
}

/** One request; an answer that is no success is an error with what the API server says. */
async function ask(method: 'GET' | 'PATCH', path: string, body = ''): Promise<string> {
  const config = new KubeConfig();
  config.loadFromDefault();
  const options = { method, headers: method === 'GET' ? {} : { 'Content-Type': 'application/apply-patch+yaml' } };
  await config.applyToHTTPSOptions(options);
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  request(`${config.getCurrentCluster()?.server}/${path}`, options, (response) => {
    const refused = (response.statusCode ?? 0) >= 300;
    text(response).then(
      (answer) => (refused ? reject(new Error(`${method} ${path}: ${answer}`)) : resolve(answer)),
      reject,
    );
  })
    .on('error', reject)
    .end(body);
  return await promise;
}
