/** MongoDB: a member of a replica set, or a server of none. */
import type { Engine } from '../../engine';
import { dump } from './dump';
import { guard } from './guard';
import { prepare } from './prepare';
import { openSession } from './session';
import { inspect, serverCommand } from './throw-away';

/** The engine: what is known of MongoDB outside this folder. */
export const engine: Engine = {
  name: 'mongodb',
  // The lock is the server's own, and goes on when the session that asked for it is gone.
  capabilities: { freezeOutlivesSession: true, mayBeOffline: false, hasServer: true, startsAlone: true },
  defaultPort: 27017,
  open: openSession,
  guard,
  restore: { withoutRecord: false, prepare, server: serverCommand, inspect },
  dump,
};
