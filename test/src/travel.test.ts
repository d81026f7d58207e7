import { Duration, Testing } from 'cdk8s';
import { BackupSchedule, ImportAccount, Registry, ScheduledClone, type ScheduledCloneProps } from 'stillpoint';
import { describe, expect, it } from 'vitest';
import { type Manifest, only, shop } from './synth';

type Chart = Parameters<typeof Testing.synth>[0];

function synth(props: Partial<ScheduledCloneProps> = {}, id = 'nightly'): Manifest[] {
  const chart = shop();
  new ScheduledClone(chart, id, {
    database: 'orders-db',
    schedule: BackupSchedule.daily({ hour: 5, minute: 0 }),
    ...props,
  });
  return Testing.synth(chart as Chart);
}

const argsOf = (manifests: Manifest[]): string[] =>
  only(manifests, 'CronJob').spec.jobTemplate.spec.template.spec.containers[0].args;

const verbs = (role: Manifest, resource: string): string[] =>
  role.rules.filter(({ resources }: Manifest) => resources.includes(resource)).flatMap((rule: Manifest) => rule.verbs);

describe('a scheduled clone', () => {
  it('clones the newest backup, and replaces the clone before', () => {
    expect(
      argsOf(synth({ databaseNamespace: 'prod', scripts: { 'a.sql': 'SELECT 1' }, image: 'stillpoint:1' })),
    ).toEqual([
      ...['clone', 'prod/orders-db/latest', '--registry', 'stillpoint'],
      ...['--to', 'nightly', '--to-namespace', 'shop', '--replace', '--workload'],
      ...['--scripts', 'nightly-scripts', '--image', 'stillpoint:1', '--timeout', '3540s'],
    ]);
    expect(only(synth({ scripts: { 'a.sql': 'SELECT 1' } }), 'ConfigMap').data).toEqual({ 'a.sql': 'SELECT 1' });
    expect(only(synth(), 'CronJob').spec).toMatchObject({ schedule: '0 5 * * *', concurrencyPolicy: 'Forbid' });
  });

  it('has the rights of its own namespace alone, unless the backups are of another', () => {
    const own = synth();
    expect(
      own
        .filter(({ kind }) => kind === 'ClusterRole')
        .flatMap(({ rules }) => rules.flatMap((rule: Manifest) => rule.resources)),
    ).toEqual(['storageclasses', 'persistentvolumes', 'namespaces']);
    const elsewhere = only(
      synth({ databaseNamespace: 'prod' }),
      'ClusterRole',
      'stillpoint.shop.stillpoint-held-clone-nightly',
    );
    expect(verbs(elsewhere, 'volumesnapshotcontents')).toEqual(['create', 'get', 'list', 'watch', 'delete']);
  });

  it('may not list Secrets, and makes them only for servers', () => {
    const role = (props: Partial<ScheduledCloneProps>): Manifest =>
      only(synth(props), 'Role', 'stillpoint-held-clone-nightly');
    expect(verbs(role({}), 'secrets')).toEqual(['create', 'get', 'patch', 'delete']);
    expect(verbs(role({ workload: false }), 'secrets')).toEqual(['get', 'delete']);
  });

  it.each<[string, Partial<ScheduledCloneProps>, string, RegExp]>([
    ['a long id', {}, 'a'.repeat(44), /at most 43 characters/],
    ['an id that begins with a digit', {}, '1night', /begin it with a letter/],
    ['scripts without any', { scripts: {} }, 'nightly', /has scripts, and none among them/],
    ['a deadline of a minute', { deadline: Duration.minutes(1) }, 'nightly', /deadline of a minute or less/],
    ['a database that is no name', { database: 'Orders' }, 'nightly', /Orders/],
  ])('refuses %s', (_, props, id, message) => {
    expect(() => synth(props, id)).toThrow(message);
  });
});

describe('an account for imports', () => {
  it('keeps records in the registry, and may change none', () => {
    const chart = shop();
    new ImportAccount(chart, 'orders', { registry: Registry.fromNamespace('records') });
    const manifests = Testing.synth(chart as Chart);
    const registry = only(manifests, 'Role', 'stillpoint.shop.stillpoint-held-import-orders');
    expect(registry.metadata.namespace).toBe('records');
    expect(verbs(registry, 'configmaps')).toEqual(['create', 'get', 'list']);
    const wide = only(manifests, 'ClusterRole');
    expect(verbs(wide, 'volumesnapshotcontents')).toEqual(['create', 'get', 'list', 'watch', 'delete']);
  });
});
