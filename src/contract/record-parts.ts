/** What a record is made of (record.ts). */
import { ENGINE_NAMES } from './engines';
import { anything, array, boolean, integer, map, object, oneOf, optional, string, timestamp } from './schema';

export const position = map(
  string({ minLength: 0 }),
  "Where the database's log stood, in the engine's own words: PostgreSQL has lsn, timeline, startLsn, stopLsn; MySQL has binlogFile, binlogPosition, gtid, mode, exact; MongoDB has opTime, term, lastWrite, lock, exact, behindSeconds, and of a sharded cluster shard and cluster (one-instant, approximate); Neo4j has transaction, bookmark, nodes, relationships, mode.",
);

export const cut = object(
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

export const volume = object(
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

export const storedObject = object(
  {
    key: string({ description: "Within the store's prefix." }),
    location: string({ description: 'Where it is, as s3://backups/shop/orders-db/dump.sql.zst.' }),
    bytes: integer({ minimum: 0 }),
    sha256: string({ pattern: '^[0-9a-f]{64}$', description: 'Of what is stored.' }),
    plainBytes: integer({ minimum: 0, description: 'As the tool wrote it.' }),
    plainSha256: string({ pattern: '^[0-9a-f]{64}$' }),
    compression: string({ description: 'zstd, gzip or none.' }),
    encryption: optional(
      object(
        { format: string({ description: 'age.' }), recipients: array(string({ description: 'A public key of age.' })) },
        {
          open: true,
          description: 'Who can open it: whoever has the identity of one of the recipients. After the compression.',
        },
      ),
    ),
    version: optional(string({ description: 'What the store calls this version of it, where it keeps several.' })),
    lockedUntil: optional(timestamp('Until then the store lets nobody remove it, whoever asks.')),
    checksum: optional(
      string({ description: "The store's own, which it has confirmed, with the name of its algorithm." }),
    ),
  },
  { open: true, description: 'What lies in a store, with all that is needed to check it and to open it again.' },
);

/** What became of one database of an online backup. */
export const onlineDatabase = object(
  {
    name: string({ description: 'The database, never an alias.' }),
    aliases: optional(array(string({ description: 'An alias that it was found by.' }))),
    databaseId: optional(string({ description: 'By which the tool tells databases of one name apart.' })),
    files: optional(
      array(string({ description: 'The keys of all that a restore of it takes, the full one first.' }), {
        minItems: 1,
      }),
    ),
    highestTransaction: optional(integer({ minimum: 0, description: 'The last one that the files hold.' })),
    error: optional(
      object({ code: string(), message: string() }, { open: true, description: 'Why there are no files of it.' }),
    ),
  },
  { open: true },
);

export const dumped = object(
  {
    databases: optional(
      array(onlineDatabase, {
        description: 'Of an online backup: each database that was wanted, whether it is in the backup or not.',
      }),
    ),
    tool: string({ description: 'What the tool says of itself.' }),
    only: optional(string({ description: 'The one database that was dumped; all when left out.' })),
    some: optional(
      array(string(), {
        description:
          "The databases that were dumped one after the other, each of an instant of its own, with the server's logins.",
      }),
    ),
    image: optional(string({ description: 'The image in which the tool ran.' })),
    position: optional(boolean("Whether the dump itself says where the server's log stood.")),
  },
  { open: true, description: "How a backup of the mode dump was made by the engine's own tool." },
);

export const copied = object(
  {
    of: object(
      { namespace: string(), database: string(), id: string() },
      { open: true, description: 'The backup whose snapshots were copied.' },
    ),
    record: anything('The record of that backup as it was then: what its files need to be started from.'),
    volumes: optional(
      array(
        object(
          {
            name: string({ description: "The backup's name of the volume; its folder in the archive." }),
            entries: integer({ minimum: 0, description: 'Files, folders and links.' }),
            bytes: integer({ minimum: 0, description: 'What the files hold.' }),
          },
          { open: true },
        ),
      ),
    ),
  },
  {
    open: true,
    description:
      'Of files that were copied off the cluster from the snapshots of another backup. The first object is the archive, the second its manifest.',
  },
);

export const observation = object({ at: timestamp(), facts: map(string({ minLength: 0 })) });

export const proof = object(
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

/** What holds a database from outside its session. */
export const HOLDERS = ['hook', 'workload'] as const;

export const held = object(
  {
    member: string({ description: 'The server, as the engine names it: host:port.' }),
    of: optional(string({ description: 'The member of the group whose credentials lead there.' })),
    by: optional(
      oneOf(HOLDERS, 'What holds it from outside, where it is not the engine: then host is the pod or the workload.'),
    ),
    host: string({ description: 'The address of the server itself, never that of a Service.' }),
    port: integer({ minimum: 1, maximum: 65535 }),
    undo: map(
      string({ minLength: 0 }),
      "What puts it back, in the engine's own words: Redis has the settings as they were, MongoDB the number of locks.",
    ),
    outlivesServer: optional(
      boolean(
        'Whether it stays in force when the server has ended, as the stopped balancer of a sharded cluster does.',
      ),
    ),
  },
  { open: true },
);

export const workload = object(
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

export const resource = object(
  {
    apiVersion: string(),
    kind: string(),
    plural: string(),
    name: string(),
    path: optional(string({ description: 'What its control plane calls this backup.' })),
    labels: optional(map(string({ minLength: 0 }))),
    spec: optional(anything('Its spec, as it was when the backup began, without what may be a password.')),
    secret: optional(
      string({
        description:
          "The Secret in the registry's namespace with the administrator's password, key `password`. It goes with the record.",
      }),
    ),
  },
  { open: true, description: 'The custom resource that a control plane had made the database from.' },
);

export const member = object(
  {
    name: string({ description: 'A database of a group by its name there; a server of a cluster by its pod.' }),
    of: optional(string({ description: 'The member of the group that it is a server of, where that is a cluster.' })),
    engine: oneOf(ENGINE_NAMES),
    flavour: optional(string()),
    serverVersion: optional(string()),
    serverIdentity: optional(map(string({ minLength: 0 }))),
    cluster: optional(
      string({ description: 'The cluster that it is a server of: backups that name the same wait for each other.' }),
    ),
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

export const failure = object(
  { code: string(), message: string(), hint: optional(string()), at: timestamp(), step: optional(string()) },
  { open: true },
);
