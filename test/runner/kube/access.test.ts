import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { kubeAccess } from '../../../runner/kube/access';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stillpoint-kubeconfig-'));
});

afterEach(() => rm(folder, { recursive: true }));

const kubeconfig = (name: string): string => `
apiVersion: v1
kind: Config
clusters: [{name: ${name}, cluster: {server: "https://${name}.example:6443/path"}}]
users: [{name: ${name}, user: {token: token-of-${name}}}]
contexts: [{name: ${name}, context: {cluster: ${name}, user: ${name}, namespace: shop-${name}}}]
current-context: ${name}
`;

async function file(name: string, text = kubeconfig(name)): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

test('a kubeconfig tells the server, the namespace and the account', async () => {
  const access = await kubeAccess({ env: { KUBECONFIG: await file('one') } });
  expect(access.server.href).toBe('https://one.example:6443/path');
  expect(access.namespace).toBe('shop-one');
  const options = await access.options();
  expect(options.headers).toMatchObject({ Authorization: 'Bearer token-of-one' });
  expect((await access.options()).agent).toBe(options.agent);
});

test('several kubeconfigs are merged, and a context can be named', async () => {
  const env = { KUBECONFIG: [await file('one'), await file('two'), join(folder, 'missing')].join(':') };
  expect((await kubeAccess({ env })).server.hostname).toBe('one.example');
  expect((await kubeAccess({ env, context: 'two' })).server.hostname).toBe('two.example');
});

test('a kubeconfig that is named goes before the account of the pod', async () => {
  const env = { KUBERNETES_SERVICE_HOST: '10.0.0.1', KUBECONFIG: await file('one') };
  expect((await kubeAccess({ env, kubeconfig: await file('two') })).server.hostname).toBe('two.example');
});

test('an empty KUBECONFIG is none', async () => {
  const request = { env: { KUBECONFIG: '' }, context: 'no-such-context-anywhere' };
  await expect(kubeAccess(request)).rejects.toMatchObject({
    message: expect.stringMatching(/\.kube\/config|no-such-context/),
  });
});

test.each([
  ['is missing', async () => ({ env: {}, kubeconfig: join(folder, 'missing') }), 'there is no kubeconfig at'],
  ['is no YAML', async () => ({ env: {}, kubeconfig: await file('bad', 'a: [') }), 'cannot be read'],
  [
    'has no such context',
    async () => ({ env: {}, kubeconfig: await file('one'), context: 'three' }),
    'has no context three',
  ],
  [
    'has no current context',
    async () => ({ env: {}, kubeconfig: await file('none', 'apiVersion: v1\nclusters: []\nusers: []\ncontexts: []') }),
    'has no current context',
  ],
])('a kubeconfig that %s is said so', async (_, request, message) => {
  await expect(request().then(kubeAccess)).rejects.toMatchObject({
    code: 'kubernetes-unreachable',
    message: expect.stringContaining(message),
    hint: expect.any(String),
  });
});
