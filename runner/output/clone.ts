/** What there is of clones, as people and scripts read it. Pure: results in, text out. */
import { stringify } from 'yaml';
import type { CloneInfo } from '../clone/site';
import type { CloneResult } from '../commands/clone';
import { age } from './duration';
import type { Output } from './records';
import { table } from './table';

/** A clone that has come to its end. */
export function formatClone(result: CloneResult, output: Output): string {
  const { clone, namespace, claims, server, backup, replaced, resources = [] } = result;
  if (output === 'json') return `${JSON.stringify(result, null, 2)}\n`;
  if (output === 'yaml') return stringify(result);
  if (output === 'name') return `${clone}\n`;
  const what = `${backup.namespace}/${backup.database}/${backup.id}`;
  const made = table(
    [
      { title: 'VOLUME', value: ({ volume }) => volume },
      { title: 'CLAIM', value: ({ claim }) => `${namespace}/${claim}` },
      { title: 'MOUNT AT', value: ({ mountPath }) => mountPath },
    ],
    claims,
  );
  return [
    `clone ${namespace}/${clone} of backup ${what} is ready\n\n${made}`,
    ...(server === undefined ? [] : [reach(namespace, clone, server)]),
    ...resources.map((each) => `${each}\n`),
    ...replaced.map((name) => `clone ${namespace}/${name} removed: this one replaces it\n`),
    `stillpoint clone --undo ${clone} --to-namespace ${namespace}   # removes it\n`,
  ].join('');
}

function reach(namespace: string, clone: string, server: NonNullable<CloneResult['server']>): string {
  const { host, port, username, secret } = server;
  return [
    `\nIts server is ${host}:${port}, from within namespace ${namespace}; its administrator is ${username}.\n`,
    `  kubectl port-forward -n ${namespace} service/${clone} ${port}\n`,
    `  kubectl get secret -n ${namespace} ${secret} -o jsonpath='{.data.password}' | base64 -d\n\n`,
  ].join('');
}

/** The clones that there are. */
export function formatClones(clones: readonly CloneInfo[], output: Output, now: Date): string {
  if (output === 'json') return `${JSON.stringify(clones, null, 2)}\n`;
  if (output === 'yaml') return stringify(clones);
  if (output === 'name') return clones.map(({ namespace, name }) => `${namespace}/${name}\n`).join('');
  if (clones.length === 0) return 'No clones found.\n';
  return table(
    [
      { title: 'NAMESPACE', value: ({ namespace }) => namespace },
      { title: 'CLONE', value: ({ name }) => name },
      { title: 'OF', value: ({ backup }) => backup },
      { title: 'STATUS', value: ({ stage }) => stage },
      { title: 'SERVER', value: ({ workload }) => (workload ? 'yes' : 'no') },
      { title: 'AGE', value: ({ created }) => age(new Date(created), now) },
    ],
    clones,
  );
}
