/** Plain volumes: files without a database. There is no server, and nothing to freeze. */
import type { Engine } from '../../engine';
import { inspect, prepare, serverCommand } from './restore';
import { openSession } from './session';

export const engine: Engine = {
  name: 'volume',
  capabilities: { freezeOutlivesSession: false, mayBeOffline: true, hasServer: false, startsAlone: false },
  defaultPort: 0,
  open: async () => openSession(),
  restore: { withoutRecord: true, prepare, server: serverCommand, inspect },
};
