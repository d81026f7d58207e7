import { readFileSync } from 'node:fs';
import ts from 'typescript';
import { ERRORS, EXIT_CODES } from '../../runner/errors';
import {
  type AccessNeed,
  ANNOTATIONS,
  backupAccess,
  type CopyConfig,
  cloneAccess,
  copyAccess,
  DEFAULT_SLOTS,
  type DumpConfig,
  dumpAccess,
  dumpRestoreAccess,
  FINALIZER,
  importAccess,
  inPlaceAccess,
  LABELS,
  prepareAccess,
  prunerAccess,
} from '../../src/contract';

import { commandsPage } from './commands';

const GENERATED = '<!-- made by `npm run docs` from the source; do not edit -->';

/** The pages of reference that are made of the code's own tables. */
export function reference(): ReadonlyMap<string, string> {
  return new Map([
    ['access.md', accessPage()],
    ['commands.md', page('Commands', commandsPage())],
    ['errors.md', errorsPage()],
    ['labels.md', labelsPage()],
  ]);
}

function accessPage(): string {
  const byName = {
    claims: ['‹claim›'],
    snapshotClasses: ['‹snapshot class›'],
    groupClasses: [],
    directCut: false,
    slots: DEFAULT_SLOTS,
    lease: 'stillpoint-‹database›',
    registryNamespace: '‹registry›',
    clusterScope: true,
  };
  const usual = backupAccess({ ...byName, byLabel: false, byPod: false });
  const widest = backupAccess({
    ...byName,
    byLabel: true,
    byPod: false,
    snapshotClasses: [],
    groupClasses: ['‹group class›'],
    guardLease: 'stillpoint-‹database›.guard',
  });
  const known = new Set(usual.map((need) => JSON.stringify(need)));
  const beyond = (needs: readonly AccessNeed[]): readonly AccessNeed[] =>
    needs.filter((need) => !known.has(JSON.stringify(need)));
  const direct = backupAccess({ ...byName, byLabel: false, byPod: false, directCut: true });
  const hooked = backupAccess({ ...byName, byLabel: false, byPod: false, commandsIn: [{ pod: '‹pod of the hook›' }] });
  const kept = backupAccess({
    ...byName,
    byLabel: false,
    byPod: false,
    resources: [
      {
        apiVersion: 'cp.nuodb.com/v1beta1',
        kind: 'Database',
        plural: 'databases',
        name: '‹Database›',
        passwordFile: 'password',
      },
    ],
  });
  const stopped = backupAccess({
    ...byName,
    byLabel: false,
    byPod: false,
    stopped: [
      { kind: 'StatefulSet', name: '‹what is stopped›' },
      { kind: 'Deployment', name: '‹what is stopped›' },
    ],
  });
  return page('Rights', [
    'The rights of each account, and why it has them. The constructs make Roles of this table, and `stillpoint doctor` asks the API server for each. No account may read Secrets: the kubelet mounts them.',
    '## The account of a policy',
    'One for each policy, in the namespace of its database.',
    accessTable(usual),
    '### Only where the policy needs it',
    'Claims that are found by labels, a class that is not named, group snapshots, a guard:',
    accessTable(beyond(widest)),
    '### Only with `directCut`',
    'The right to make contents is cluster-wide, and a content can name any volume and any snapshot of a driver. The `Registry` makes an admission policy that holds the account to contents of its own namespace, which retain; whose volume a handle names, the API server cannot tell. So it is a right to read all volumes of the driver: give it where that is acceptable.',
    accessTable(beyond(direct)),
    '### Only with hooks that run commands',
    'A pod that is found by its labels has no name beforehand: then the right is on all pods of the namespace. Which command is run, RBAC cannot tell; the admission policy that the construct makes does, from Kubernetes 1.30 on, and keeps the account to the commands of its hooks, with no input.',
    accessTable(beyond(hooked)),
    '### Only where a workload is stopped (`offline`)',
    'It can be scaled, and changed in nothing else.',
    accessTable(beyond(stopped), 'can be left out'),
    '### Only where a custom resource is kept with the backups',
    'As the `Database` of a NuoDB, with its password: the account may make a Secret, and read none. Of which type and under which name, the admission policy of the `Registry` holds.',
    accessTable(beyond(kept)),
    '## The account of a policy of dumps',
    'Nothing of volumes or snapshots. What it may do in the store is what the credentials of that say.',
    accessTable(dumpAccess(DUMPS)),
    '## The account of a policy of copies',
    'As `SnapshotCopy` makes it. It makes no pod, and cannot change what the pod of its worker is; the worker itself has no right on the API.',
    accessTable(copyAccess(COPIES), 'can be left out'),
    '## The Job that restores a dump, or a copy',
    accessTable(dumpRestoreAccess('‹namespace›.‹database›.‹id›')),
    '## The pruner',
    'One in a cluster, in the namespace of the registry: the only account that may let the storage forget a snapshot.',
    accessTable(prunerAccess()),
    '## The Job that prepares restored claims',
    accessTable(prepareAccess('‹namespace›.‹database›.‹id›')),
    '## People who restore in place',
    '`InPlaceAccess` gives these rights to a group of people; no Job has them. PersistentVolumes have no namespace: who may change them can give any volume of the cluster to another claim.',
    accessTable(inPlaceAccess(), 'can be left out'),
    '## An account for imports',
    'As `ImportAccount` makes it, in the namespace that is imported into. The right to make contents is cluster-wide, as that of `directCut` is, and held by the same admission policy.',
    accessTable(importAccess(), 'can be left out'),
    '## The account of clones on a schedule',
    'As `ScheduledClone` makes it, in the namespace of the clones: give them one of their own, since this account may read its Secrets, whose names it knows. The right on contents is given only where the backups are of another namespace.',
    accessTable(cloneAccess({ workload: true, elsewhere: true }), 'can be left out'),
  ]);
}

const COPIES = {
  spec: {
    database: '‹copies›',
    copy: {
      volumes: [{ name: '‹volume›', claim: '‹policy›-‹volume›' }],
      worker: '‹policy›-worker',
      order: '‹policy›-order',
    },
    registry: { namespace: '‹registry›' },
    prune: true,
  },
} as unknown as CopyConfig;

const DUMPS = {
  spec: { database: '‹database›', registry: { namespace: '‹registry›' }, prune: true },
} as unknown as DumpConfig;

const PLACES = { database: "the database's namespace", registry: 'the registry', cluster: 'the cluster' } as const;

function accessTable(needs: readonly AccessNeed[], without = 'can be left out: `clusterAccess: false`'): string {
  return table(
    ['where', 'what', 'verbs', 'why'],
    needs.map(({ scope, apiGroup, resource, verbs, names, why, optional }) => [
      PLACES[scope],
      `\`${resource}\`${apiGroup === '' ? '' : ` (\`${apiGroup}\`)`}${names === undefined ? '' : `: only ${names.map((name) => `\`${name}\``).join(', ')}`}`,
      verbs.join(', '),
      `${why}${optional === true ? ` (${without})` : ''}`,
    ]),
  );
}

function errorsPage(): string {
  return page('Errors', [
    'Every error has a code that stays the same: scripts and alerts can match it. The message is for people, and may change.',
    '## Exit codes',
    table(['exit code', 'means'], Object.entries(EXIT_CODES)),
    '## Codes',
    'An error that is worth trying again may pass without anybody changing anything.',
    table(
      ['code', 'exit code', 'try again', 'means'],
      Object.entries(ERRORS).map(([code, { exitCode, retryable, means }]) => [
        `\`${code}\``,
        `${exitCode}`,
        retryable ? 'yes' : 'no',
        means,
      ]),
    ),
  ]);
}

function labelsPage(): string {
  const file = 'src/contract/labels.ts';
  const comments = commentsOf(file);
  const rows = (owner: string, entries: Readonly<Record<string, string>>): string[][] =>
    Object.entries(entries).map(([name, value]) => [`\`${value}\``, comments.get(`${owner}.${name}`) ?? missing(name)]);
  return page('Labels and annotations', [
    'Everything that Stillpoint sets on objects of a cluster.',
    '## Labels',
    table(['label', 'why'], rows('LABELS', LABELS)),
    '## Annotations',
    table(['annotation', 'why'], rows('ANNOTATIONS', ANNOTATIONS)),
    '## Finalizer',
    table(['finalizer', 'why'], [[`\`${FINALIZER}\``, comments.get('FINALIZER') ?? missing('FINALIZER')]]),
  ]);
}

function missing(name: string): never {
  throw new Error(`${name} has no comment that says why it is there`);
}

/** The comments of a file's constants, and of their properties as `CONSTANT.property`. */
function commentsOf(file: string): ReadonlyMap<string, string> {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true);
  const comments = new Map<string, string>();
  const note = (name: string, node: ts.Node): void => {
    const comment = ts.getJSDocCommentsAndTags(node).find(ts.isJSDoc)?.comment;
    const text = ts.getTextOfJSDocComment(comment)?.replaceAll(/\s+/g, ' ').trim();
    if (text !== undefined) comments.set(name, text.replaceAll(/\{@link ([^}]+)\}/g, '`$1`'));
  };
  for (const statement of source.statements) {
    if (!ts.isVariableStatement(statement)) continue;
    for (const { name, initializer } of statement.declarationList.declarations) {
      note(name.getText(), statement);
      const object = initializer && ts.isAsExpression(initializer) ? initializer.expression : initializer;
      if (object === undefined || !ts.isObjectLiteralExpression(object)) continue;
      for (const property of object.properties) note(`${name.getText()}.${property.name?.getText()}`, property);
    }
  }
  return comments;
}

function page(title: string, parts: readonly string[]): string {
  return `${[`# ${title}`, GENERATED, ...parts].join('\n\n')}\n`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
