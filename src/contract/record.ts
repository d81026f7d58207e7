import { RECORDED_ENGINES } from './engines';
import { TRIGGERS } from './job-config';
import { BACKUP_ID_PATTERN } from './names';
import {
  copied,
  cut,
  dumped,
  failure,
  held,
  member,
  type observation,
  position,
  proof,
  resource,
  storedObject,
  volume,
  workload,
} from './record-parts';
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
        dumping: optional(timestamp('When the tool began to write.')),
        ready: optional(timestamp()),
        finished: optional(timestamp()),
      },
      { open: true },
    ),
    freezeWindowMs: optional(
      integer({ minimum: 0, description: 'From the freeze taking hold to the thaw having worked.' }),
    ),
    downtimeMs: optional(
      integer({
        minimum: 0,
        description:
          'Of a backup that stops its server: from when that was told to stop to when all of it was ready again.',
      }),
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
    pausesBriefly: optional(
      boolean(
        'Whether writes wait for a moment before the cuts without being held until after them: other backups of the server wait for it.',
      ),
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
    resource: optional(resource),
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
          look: optional(
            object(
              {
                at: timestamp('When that was found; an answer that is the same as the one before is not written down.'),
                missing: array(string({ description: 'What the storage, or the cluster, does not have any more.' })),
              },
              {
                open: true,
                description:
                  'What stillpoint doctor has found when it asked for the snapshots. Nothing missing: they are there again.',
              },
            ),
          ),
        },
        { open: true, description: 'Of a backup that another cluster, or somebody else, has taken.' },
      ),
    ),
    dump: optional(dumped),
    copy: optional(copied),
    store: optional(anything('The store that the objects lie in: where it is, and nothing of who may use it.')),
    storeName: optional(string({ description: 'What the runner calls that store.' })),
    objects: optional(array(storedObject)),
    plannedObjects: optional(
      array(
        string({ description: 'The keys that were going to be written: what a later run, or a deletion, removes.' }),
      ),
    ),
    runnerVersion: string(),
    runnerImage: optional(string({ description: 'The image of the runner that took it: what prepares a restore.' })),
  },
  { open: true, description: 'One backup: what was cut, the proof that it is consistent, and what a restore needs.' },
);

export type BackupRecord = Infer<typeof RECORD>;
export type Phase = (typeof PHASES)[number];
export type Cut = Infer<typeof cut>;
export type RecordedResource = Infer<typeof resource>;
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
/** What a copy is of. */
export type Copied = Infer<typeof copied>;
/** What lies in a store of a backup. */
export type RecordedObject = Infer<typeof storedObject>;

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

/** Until when the store lets nobody remove what a backup has there; undefined where nothing is locked any more. */
export function lockedUntil({ objects = [] }: Pick<BackupRecord, 'objects'>, now: Date): string | undefined {
  const still = objects.flatMap(({ lockedUntil: until }) =>
    until === undefined || new Date(until) <= now ? [] : [until],
  );
  return still.sort().at(-1);
}

/** Whether what the storage holds of a backup goes with its record: an imported one is another cluster's. */
export function ownsData({ imported }: Pick<BackupRecord, 'imported'>): boolean {
  return imported?.ownsData !== false;
}

/** Whether an imported backup is known to have lost what it would be restored from. */
export function isLost({ imported }: Pick<BackupRecord, 'imported'>): boolean {
  return (imported?.look?.missing.length ?? 0) > 0;
}

/** Whether a restore of it was tried and found good. */
export function isVerified({ verification }: Pick<BackupRecord, 'verification'>): boolean {
  return verification?.verdict === 'passed';
}
