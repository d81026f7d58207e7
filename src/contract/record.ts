import { ENGINE_NAMES, RECORDED_ENGINES } from './engines';
import { TRIGGERS } from './job-config';
import { BACKUP_ID_PATTERN } from './names';
import {
  anything,
  array,
  boolean,
  type Infer,
  integer,
  map,
  object,
  oneOf,
  optional,
  string,
  timestamp,
} from './schema';
import { READABLE_API_VERSIONS } from './version';

/** The `kind` of a record. */
export const RECORD_KIND = 'Backup';

/** A backup's life: pending → freezing → cut → succeeded | failed, later deleting. Only `succeeded` restores. */
export const PHASES = ['pending', 'freezing', 'cut', 'succeeded', 'failed', 'deleting'] as const;

const position = map(
  string({ minLength: 0 }),
  "Where the database's log stood, in the engine's own words: PostgreSQL has lsn, timeline, startLsn, stopLsn; MySQL has binlogFile, binlogPosition, gtid, mode, exact; MongoDB has opTime, term, lastWrite, lock, exact, behindSeconds.",
);

const cut = object(
  {
    volume: string({ description: "The plan's name of the volume." }),
    claim: optional(string({ description: 'The claim that it was cut of.' })),
    snapshot: string({ description: 'The VolumeSnapshot, or the folder, that holds it.' }),
    uid: optional(string({ description: "The snapshot object's UID." })),
    group: optional(string({ description: 'The VolumeGroupSnapshot that it is a member of.' })),
    groupUid: optional(string()),
    content: optional(string({ description: 'The VolumeSnapshotContent.' })),
    directContent: optional(
      string({
        description:
          'Of a direct cut: the content by which the storage was asked. It names the same snapshot as `content`.',
      }),
    ),
    directUid: optional(string({ description: 'The UID that was made up for it.' })),
    driver: optional(string()),
    handle: optional(string({ description: "The storage system's own name of the snapshot." })),
    cutAt: optional(timestamp("The storage's own clock, never compared with ours.")),
    seenBy: oneOf(['creationTime', 'readyToUse', 'copy'], 'What told that the cut was made.'),
    driverKnown: boolean('Whether the table of drivers knows when this one cuts.'),
    askedAt: timestamp(),
    seenAt: timestamp(),
    readyAt: optional(timestamp()),
    restoreSize: optional(string({ description: 'A Kubernetes quantity: the smallest claim that it restores into.' })),
  },
  { open: true },
);

const volume = object(
  {
    name: string(),
    role: oneOf(['data', 'log', 'tablespace']),
    claim: string({ description: 'The PersistentVolumeClaim, or the folder.' }),
    claimUid: optional(string()),
    persistentVolume: optional(string()),
    volumeHandle: optional(string()),
    driver: optional(string({ description: 'The CSI driver of the volume, where it could be read.' })),
    storageClass: optional(string()),
    accessModes: optional(array(string())),
    capacity: optional(string({ description: 'A Kubernetes quantity.' })),
    volumeMode: optional(string()),
    member: optional(string({ description: 'The member whose volume it is, where there are several.' })),
    mountPath: optional(string({ description: 'Where the server had it mounted.' })),
    subPath: optional(string()),
    claimSpec: optional(anything("The claim's spec, as a restore needs it.")),
    claimLabels: optional(map(string({ minLength: 0 }))),
  },
  { open: true },
);

const observation = object({ at: timestamp(), facts: map(string({ minLength: 0 })) });

const proof = object(
  {
    holds: boolean(
      'Whether the session, the server and (where something is frozen) the freeze were the same after the last cut as before the first.',
    ),
    statement: string({ description: 'What was proven, in a sentence.' }),
    session: optional(string({ description: "The session's own identity on the server, such as its process id." })),
    before: observation,
    after: observation,
  },
  { open: true },
);

const held = object(
  {
    member: string({ description: 'The server, as the engine names it: host:port.' }),
    of: optional(string({ description: 'The member of the group whose credentials lead there.' })),
    host: string({ description: 'The address of the server itself, never that of a Service.' }),
    port: integer({ minimum: 1, maximum: 65535 }),
    undo: map(
      string({ minLength: 0 }),
      "What puts it back, in the engine's own words: Redis has the settings as they were, MongoDB the number of locks.",
    ),
  },
  { open: true },
);

const workload = object(
  {
    kind: optional(string()),
    name: optional(string()),
    pod: optional(string()),
    podUid: optional(string({ description: 'Two policies whose records name the same are of one server.' })),
    image: optional(string()),
    spec: optional(anything('The spec of the StatefulSet or Deployment.')),
    podSecurity: optional(anything("The pod's securityContext.")),
    containerSecurity: optional(anything("The server container's securityContext.")),
    dataPath: optional(string({ description: "The server's data directory." })),
    operator: optional(
      object(
        { name: string(), kind: optional(string()), object: optional(string()) },
        { open: true, description: 'The operator that ran the server, and the object that it had made it from.' },
      ),
    ),
  },
  { open: true, description: 'What a restore needs when the original is gone.' },
);

const member = object(
  {
    name: string({ description: 'A database of a group by its name there; a server of a cluster by its pod.' }),
    of: optional(string({ description: 'The member of the group that it is a server of, where that is a cluster.' })),
    engine: oneOf(ENGINE_NAMES),
    flavour: optional(string()),
    serverVersion: optional(string()),
    serverIdentity: optional(map(string({ minLength: 0 }))),
    layout: optional(string()),
    freezes: optional(string()),
    statement: optional(string({ description: 'What was proven of it, in a sentence.' })),
    frozen: optional(timestamp()),
    thawed: optional(timestamp()),
    freezeWindowMs: optional(
      integer({ minimum: 0, description: 'From its own freeze taking hold to its own thaw having worked.' }),
    ),
    position: optional(position),
    artifacts: optional(map(string({ minLength: 0 }))),
    settings: optional(map(string({ minLength: 0 }))),
    workload: optional(workload),
  },
  {
    open: true,
    description:
      'One server of a backup that has several: a database of a group, a master of a cluster. Its facts in the proof carry its name.',
  },
);

const failure = object(
  { code: string(), message: string(), hint: optional(string()), at: timestamp(), step: optional(string()) },
  { open: true },
);

/** What the registry holds on one backup. Open: what a newer version wrote is kept. */
export const RECORD = object(
  {
    apiVersion: oneOf(READABLE_API_VERSIONS),
    kind: oneOf([RECORD_KIND]),
    id: string({ pattern: BACKUP_ID_PATTERN }),
    namespace: string({ description: "The database's namespace." }),
    database: string(),
    engine: oneOf(RECORDED_ENGINES, 'The kind of database; `group` where there are several.'),
    flavour: optional(string()),
    serverVersion: optional(string()),
    serverIdentity: optional(
      map(string({ minLength: 0 }), 'What names the database cluster itself: PostgreSQL has systemIdentifier.'),
    ),
    clusterUid: optional(
      string({ description: 'The UID of the namespace kube-system: which Kubernetes cluster this was.' }),
    ),
    policy: string(),
    trigger: oneOf(TRIGGERS),
    revision: optional(string({ description: 'What was about to be deployed: a commit or a version.' })),
    mode: oneOf(['snapshot', 'dump', 'native']),
    layout: optional(
      string({ description: 'How the volumes became one consistent copy: atomic, backup-mode, group, locked.' }),
    ),
    owner: object(
      { jobUid: string(), jobName: optional(string()), pod: optional(string()) },
      {
        open: true,
        description: 'Who works on it. A second pod of the same Job goes on with it; anybody else keeps away.',
      },
    ),
    phase: oneOf(PHASES),
    times: object(
      {
        started: timestamp(),
        frozen: optional(timestamp()),
        firstAsked: optional(timestamp()),
        lastCutSeen: optional(timestamp()),
        thawed: optional(timestamp()),
        ready: optional(timestamp()),
        finished: optional(timestamp()),
      },
      { open: true },
    ),
    freezeWindowMs: optional(
      integer({ minimum: 0, description: 'From the freeze taking hold to the thaw having worked.' }),
    ),
    spreadMs: optional(
      integer({
        minimum: 0,
        description:
          'Where there are several members: from the first cut seen to the last. All were held in all of it.',
      }),
    ),
    budgetSeconds: integer({ minimum: 1 }),
    freezes: optional(
      string({ description: 'What the freeze held still: nothing, log-recycling, table-definitions, writes.' }),
    ),
    position: optional(position),
    proof: optional(proof),
    volumes: array(volume),
    cuts: array(cut),
    held: optional(array(held)),
    heldUndone: optional(
      object(
        { at: timestamp(), by: oneOf(['runner', 'guard', 'later-run', 'heal']), done: array(string()) },
        { open: true, description: 'When what outlives the session was undone, by whom, and what was done, in words.' },
      ),
    ),
    plannedSnapshots: optional(
      array(string({ description: 'The names that were going to be asked for: what a later run undoes.' })),
    ),
    artifacts: optional(
      map(
        string({ minLength: 0 }),
        'Small files that a restore needs, byte for byte: PostgreSQL has backup_label and tablespace_map.',
      ),
    ),
    settings: optional(
      map(string({ minLength: 0 }), 'Settings of the server that a restore needs or that qualify the guarantee.'),
    ),
    workload: optional(workload),
    members: optional(array(member)),
    warnings: optional(array(string())),
    error: optional(failure),
    leftovers: optional(array(string({ description: 'What a failed or deleted backup could not remove yet.' }))),
    needs: optional(
      array(
        string({
          pattern: BACKUP_ID_PATTERN,
          description: 'An earlier backup of this database without which this one cannot be restored.',
        }),
      ),
    ),
    verification: optional(anything('The last verdict: `verdict` is passed or failed.')),
    retention: optional(
      object(
        {
          tier: optional(string()),
          protected: optional(
            boolean(
              'true: neither a prune nor stillpoint delete removes it. false: released, which a backup before a deployment has to be.',
            ),
          ),
          until: optional(timestamp()),
          reason: optional(string({ description: 'Why it was protected or released.' })),
          by: optional(string({ description: 'Who did it.' })),
          at: optional(timestamp('When that was.')),
          markedBy: optional(
            string({
              description:
                'Who is about to remove it: whoever else removes backups at the same time counts it as gone. It still restores.',
            }),
          ),
        },
        { open: true },
      ),
    ),
    group: optional(string()),
    imported: optional(
      object(
        {
          at: timestamp(),
          by: optional(string({ description: 'The user, as the API server of the importing cluster knows them.' })),
          from: object(
            {
              clusterUid: optional(string()),
              registry: optional(string()),
              namespace: optional(string()),
              database: optional(string()),
              exportedAt: optional(timestamp()),
            },
            { open: true, description: 'Where the export says that it comes from; empty of a bare handle.' },
          ),
          verifiedBy: optional(string({ description: 'The key that its signature was checked with.' })),
          ownsData: boolean(
            'Whether what the storage holds goes when this record is deleted. False: it belongs to the cluster that took the backup.',
          ),
        },
        { open: true, description: 'Of a backup that another cluster, or somebody else, has taken.' },
      ),
    ),
    objects: optional(array(anything('Objects in a store.'))),
    runnerVersion: string(),
    runnerImage: optional(string({ description: 'The image of the runner that took it: what prepares a restore.' })),
  },
  { open: true, description: 'One backup: what was cut, the proof that it is consistent, and what a restore needs.' },
);

export type BackupRecord = Infer<typeof RECORD>;
export type Phase = (typeof PHASES)[number];
export type Cut = Infer<typeof cut>;
export type RecordedVolume = Infer<typeof volume>;
export type Proof = Infer<typeof proof>;
export type Observation = Infer<typeof observation>;
/** What a freeze leaves in force at one server when its session ends. */
export type Held = Infer<typeof held>;
export type Imported = NonNullable<BackupRecord['imported']>;
/** One server of a backup that has several. */
export type RecordedMember = Infer<typeof member>;
export type HeldUndone = NonNullable<BackupRecord['heldUndone']>;
export type Failure = Infer<typeof failure>;

/** The phases of a backup that a runner is at work on, or was when it ended. */
export const UNFINISHED: readonly Phase[] = ['pending', 'freezing', 'cut'];

/** Whether something may still be in force that outlives the session of the record's runner. */
export function mayHold({ held, heldUndone }: Pick<BackupRecord, 'held' | 'heldUndone'>): boolean {
  return held !== undefined && held.length > 0 && heldUndone === undefined;
}

/** Whether a backup stays until somebody releases it. One that was taken before a deployment does so unasked. */
export function isProtected({ retention, trigger, phase }: BackupRecord): boolean {
  if (retention?.protected !== undefined) return retention.protected;
  return trigger === 'pre-deployment' && phase !== 'failed' && !UNFINISHED.includes(phase);
}

/** Whether what the storage holds of a backup goes with its record: an imported one is another cluster's. */
export function ownsData({ imported }: Pick<BackupRecord, 'imported'>): boolean {
  return imported?.ownsData !== false;
}

/** Whether a restore of it was tried and found good. */
export function isVerified({ verification }: Pick<BackupRecord, 'verification'>): boolean {
  return verification?.verdict === 'passed';
}
