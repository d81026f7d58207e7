import { Chart, Duration, Testing } from 'cdk8s';
import { Secret } from 'cdk8s-plus-28';
import {
  BackupGroup,
  BackupSchedule,
  BackupVolume,
  FreezeHook,
  HookPod,
  NameDate,
  Neo4jBackup,
  Neo4jMember,
  SnapshotClass,
  VolumeBackup,
  type VolumeBackupProps,
  VolumeMember,
  WorkloadRef,
} from 'stillpoint';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { nameStamp } from '../../src/contract';

const common = {
  volumes: [BackupVolume.fromClaimName('uploads')],
  snapshotClass: SnapshotClass.fromName('retained'),
  schedule: BackupSchedule.daily({ hour: 3 }),
};

// biome-ignore lint/suspicious/noExplicitAny: tests read fields of many kinds
type Anything = any;

function objectsOf(make: (chart: Chart) => void): readonly Anything[] {
  const chart = new Chart(Testing.app(), 'test', { namespace: 'shop' });
  make(chart);
  return chart.toJson();
}

const withHooks = (hooks: FreezeHook[], more: Partial<VolumeBackupProps> = {}): readonly Anything[] =>
  objectsOf((chart) => new VolumeBackup(chart, 'uploads', { ...common, hooks, ...more }));

const ofKind = (objects: readonly Anything[], kind: string, name?: string): Anything =>
  objects.find((object) => object.kind === kind && (name === undefined || object.metadata.name === name));

const rulesOf = (objects: readonly Anything[]): readonly Anything[] =>
  objects.filter(({ kind }) => kind === 'Role').flatMap(({ rules }) => rules);

const commands = (pod: HookPod, container?: string): FreezeHook =>
  FreezeHook.commands('writer', {
    pod,
    preFreeze: ['/app/hold', 'on'],
    postThaw: ['/app/hold', 'off'],
    ...(container === undefined ? {} : { container }),
  });

describe('hooks in a policy', () => {
  it('of what is stopped for its cuts are refused', () => {
    const hook = FreezeHook.commands('writer', {
      pod: HookPod.named('backend-0'),
      preFreeze: ['on'],
      postThaw: ['off'],
    });
    expect(() => withHooks([hook], { offline: WorkloadRef.deployment('backend') })).toThrow(
      /stops Deployment backend for its cuts, and has hooks as well/,
    );
  });

  it('make it guarded, and give its account the right to exec in the pod that is named, and no other', () => {
    const objects = withHooks([commands(HookPod.ofStatefulSet('backend', 1))]);
    const { spec } = parse(ofKind(objects, 'ConfigMap').data['backup.yaml']);
    expect(spec).toMatchObject({ guarded: true, hooks: [{ name: 'writer', commands: { pod: 'backend-1' } }] });
    expect(ofKind(objects, 'CronJob').spec.jobTemplate.spec.completionMode).toBe('Indexed');
    expect(rulesOf(objects).find(({ resources }) => resources[0] === 'pods/exec')).toEqual({
      apiGroups: [''],
      resources: ['pods/exec'],
      verbs: ['create', 'get'],
      resourceNames: ['backend-1'],
    });
  });

  it('by labels cannot name the pod; the admission policy keeps the account to the commands all the same', () => {
    const objects = withHooks([commands(HookPod.withLabels({ app: 'backend' }), 'app')]);
    expect(rulesOf(objects).find(({ resources }) => resources[0] === 'pods/exec')).not.toHaveProperty('resourceNames');
    const { metadata, spec } = ofKind(objects, 'ValidatingAdmissionPolicy');
    expect(metadata.name).toBe('stillpoint.shop.uploads-backup.commands');
    expect(spec.matchConditions[0].expression).toContain('"system:serviceaccount:shop:uploads-backup"');
    expect(spec.validations[1].expression).toBe(
      '(object.command == ["/app/hold", "on"] && object.?container.orValue("") == "app") || (object.command == ["/app/hold", "off"] && object.?container.orValue("") == "app")',
    );
  });

  it('by requests take no right at all, and their token is mounted for runner and guard', () => {
    const objects = objectsOf((chart) => {
      const hook = FreezeHook.http('writer', {
        preFreezeUrl: 'http://backend/hold',
        postThawUrl: 'http://backend/let-go',
        token: Secret.fromSecretName(chart, 'token', 'backend-token'),
      });
      new VolumeBackup(chart, 'uploads', { ...common, hooks: [hook] });
    });
    expect(rulesOf(objects).some(({ resources }) => resources[0] === 'pods/exec')).toBe(false);
    expect(ofKind(objects, 'ValidatingAdmissionPolicy')).toBeUndefined();
    const { volumes } = ofKind(objects, 'CronJob').spec.jobTemplate.spec.template.spec;
    expect(volumes).toContainEqual({
      name: 'hook-writer-token',
      secret: { secretName: 'backend-token', defaultMode: 0o440 },
    });
  });

  it.each([
    ['a password in its URL', () => http('http://me:secret@backend/hold'), /URL with a user or a password/],
    ['no URL', () => http('backend/hold'), /no URL of http or https/],
    [
      'a timeout that the thaw cannot wait for',
      () => FreezeHook.fileSystem('files', { pod: HookPod.named('a'), mountPath: '/x', timeout: Duration.minutes(5) }),
      /timeout of 300 s/,
    ],
  ])('are refused with %s', (_, hook, message) => {
    expect(() => withHooks([hook()])).toThrow(message);
  });

  it('of one name are refused, in a group too', () => {
    const hook = commands(HookPod.named('a'));
    expect(() => withHooks([hook, hook])).toThrow(/two hooks named "writer"/);
    const members = ['one', 'two'].map((name) => new VolumeMember(name, { volumes: common.volumes, hooks: [hook] }));
    expect(() => objectsOf((chart) => new BackupGroup(chart, 'shop', { ...common, members }))).toThrow(
      /two hooks named/,
    );
  });
});

describe('a Neo4j', () => {
  const login = (chart: Chart) => Secret.fromSecretName(chart, 'login', 'graph-login');

  it('that is stopped may be scaled by its name, and nothing else', () => {
    const objects = objectsOf(
      (chart) =>
        new Neo4jBackup(chart, 'graph', {
          ...common,
          host: 'graph',
          credentials: login(chart),
          offline: WorkloadRef.deployment('graph'),
        }),
    );
    const { spec } = parse(ofKind(objects, 'ConfigMap').data['backup.yaml']);
    expect(spec).toMatchObject({ engine: 'neo4j', guarded: true, offline: { kind: 'Deployment', name: 'graph' } });
    const scaling = rulesOf(objects).filter(({ resources }) => /scale$/.test(resources[0]));
    expect(scaling).toEqual([
      { apiGroups: ['apps'], resources: ['deployments/scale'], verbs: ['patch'], resourceNames: ['graph'] },
    ]);
  });

  it('that runs has no guard, and one volume', () => {
    const make = (volumes: BackupVolume[]) =>
      objectsOf(
        (chart) => new Neo4jBackup(chart, 'graph', { ...common, volumes, host: 'graph', credentials: login(chart) }),
      );
    const { spec } = parse(ofKind(make(common.volumes), 'ConfigMap').data['backup.yaml']);
    expect(spec).not.toHaveProperty('guarded');
    const two = [...common.volumes, BackupVolume.fromClaimName('logs', { name: 'log' })];
    expect(() => make(two)).toThrow(/2 volumes/);
  });

  it('in a group is guarded where it is stopped', () => {
    const objects = objectsOf((chart) => {
      const neo4j = {
        host: 'graph',
        credentials: login(chart),
        volumes: common.volumes,
        offline: WorkloadRef.statefulSet('graph'),
      };
      new BackupGroup(chart, 'shop', { ...common, members: [new Neo4jMember('graph', neo4j)], nameDate: NameDate.DAY });
    });
    const { spec } = parse(ofKind(objects, 'ConfigMap').data['backup.yaml']);
    expect(spec).toMatchObject({ guarded: true, snapshots: { nameDate: 'YYYY-MM-DD' } });
  });
});

describe('names by the day', () => {
  it.each([
    { others: [], name: '2026-11-21' },
    { others: ['20261120020000'], name: '2026-11-21' },
    { others: ['20261121000000'], name: '2026-11-21-020000' },
    { others: ['20261121020000'], name: '2026-11-21' },
    { others: ['20261121030000'], name: '2026-11-21' },
  ])('beside $others is $name', ({ others, name }) => {
    expect(nameStamp('20261121020000', 'YYYY-MM-DD', others)).toBe(name);
  });

  it('are none where the id is wanted', () => {
    expect(nameStamp('20261121020000', 'yyyyMMddHHmmss', ['20261121000000'])).toBe('20261121020000');
  });
});

function http(preFreezeUrl: string): FreezeHook {
  return FreezeHook.http('writer', { preFreezeUrl, postThawUrl: 'http://backend/let-go' });
}
