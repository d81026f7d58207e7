/** What can be known of a cluster before anything is touched (safety rule 2). Pure. */
import type { Finding } from '../../../ports';
import { at, isTrueAt, type Reply, textAt } from '../reply';
import type { Cluster } from './cluster';

/** A right of the user's that is asked for, where MongoDB grants it. [doc: each command's page] */
interface Needed {
  /** Any of them will do. */
  readonly actions: readonly string[];
  /** Left out: on the cluster as a whole. */
  readonly collection?: string;
}

const ALWAYS: readonly Needed[] = [
  { actions: ['getShardMap'] },
  { actions: ['find'], collection: 'settings' },
  { actions: ['update'], collection: 'settings' },
];

/**
 * Releases differ in which of the two a mongos wants for its unlock: the first that had it `fsyncUnlock`, later ones `unlock`.
 * Where that changed is not known, so one is enough. [src: cluster_fsync_unlock_cmd.cpp]
 */
const EXACT: readonly Needed[] = [{ actions: ['fsync'] }, { actions: ['unlock', 'fsyncUnlock'] }];

const DATABASE = 'config';

export function* clusterFindings({ facts, approximate }: Pick<Cluster, 'facts' | 'approximate'>): Generator<Finding> {
  const { privileges, user } = facts;
  const needed = [...ALWAYS, ...(approximate ? [] : EXACT)];
  const missing = privileges === undefined ? [] : needed.filter((one) => !isGranted(privileges, one));
  if (missing.length > 0) {
    yield {
      severity: 'error',
      code: 'privilege-missing',
      subject: `user ${user}`,
      message: `user ${user} may not do ${missing.map(named).join(', ')} at the mongos`,
      hint: 'as an administrator: give it the roles of docs/mongodb.md, Sharded clusters',
    };
  }
  if (!approximate) return;
  yield {
    severity: 'warning',
    code: 'server-unsafe',
    subject: 'sharded cluster',
    message:
      'the shards are locked one after another, because the policy says approximate: their copies are of no one instant',
    hint: 'leave approximate out where the mongos can lock them, with member: MongoMember.PRIMARY',
  };
}

function isGranted(privileges: readonly Reply[], { actions, collection }: Needed): boolean {
  return privileges.some((privilege) => {
    const granted = (at(privilege, 'actions') as readonly string[] | undefined) ?? [];
    return [...actions, 'anyAction'].some((action) => granted.includes(action)) && covers(privilege, collection);
  });
}

/** An empty name is any. [doc: resource document] */
function covers(privilege: Reply, collection: string | undefined): boolean {
  if (isTrueAt(privilege, 'resource.anyResource')) return true;
  if (collection === undefined) return isTrueAt(privilege, 'resource.cluster');
  const database = textAt(privilege, 'resource.db');
  const named = textAt(privilege, 'resource.collection');
  return (database === DATABASE || database === '') && (named === collection || named === '');
}

function named({ actions, collection }: Needed): string {
  return `${actions.join(' or ')} on ${collection === undefined ? 'the cluster' : `${DATABASE}.${collection}`}`;
}
