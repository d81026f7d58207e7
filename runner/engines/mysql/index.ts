/** MySQL, and MariaDB as a flavour of it that is found by asking the server. */
import type { Engine } from '../../engine';
import { attach, inPlace } from './attach';
import { copy } from './copy';
import { dump } from './dump';
import { prepare } from './prepare';
import { openSession } from './session';
import { inspect, serverCommand } from './throw-away';

/** The engine: what is known of MySQL and MariaDB outside this folder. */
export const engine: Engine = {
  name: 'mysql',
  // Every lock here belongs to the session, and ends with it.
  capabilities: { freezeOutlivesSession: false, mayBeOffline: false, hasServer: true, startsAlone: true },
  defaultPort: 3306,
  open: openSession,
  restore: { withoutRecord: false, prepare, attach, inPlace, server: serverCommand, inspect, copy },
  dump,
};
