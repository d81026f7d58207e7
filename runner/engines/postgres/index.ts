/** PostgreSQL. */
import type { Engine } from '../../engine';
import { attach, inPlace } from './attach';
import { copy } from './copy';
import { dump } from './dump';
import { prepare } from './prepare';
import { openSession } from './session';
import { inspect, serverCommand } from './throw-away';

/** The engine: what is known of PostgreSQL outside this folder. */
export const engine: Engine = {
  name: 'postgres',
  // Backup mode and slot belong to the session, and end with it.
  capabilities: { freezeOutlivesSession: false, mayBeOffline: false, hasServer: true, startsAlone: true },
  defaultPort: 5432,
  open: openSession,
  restore: { withoutRecord: true, prepare, attach, inPlace, server: serverCommand, inspect, copy },
  dump,
};
