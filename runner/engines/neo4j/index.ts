/** Neo4j, one server of it: the Community edition, whose only backups are of its files. */
import type { Engine } from '../../engine';
import { dump } from './dump';
import { enterpriseOnline } from './enterprise/online';
import { prepare } from './prepare';
import { openSession } from './session';
import { inspect, serverCommand } from './throw-away';

/** The engine: what is known of Neo4j outside this folder. */
export const engine: Engine = {
  name: 'neo4j',
  capabilities: { freezeOutlivesSession: false, mayBeOffline: true, hasServer: true, startsAlone: true },
  defaultPort: 7687,
  open: openSession,
  dump,
  restore: { withoutRecord: false, prepare, server: serverCommand, inspect },
  online: enterpriseOnline(),
};
