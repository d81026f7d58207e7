/** Redis, and Valkey as a flavour of it that is found by asking the server. */
import type { Engine } from '../../engine';
import { attach, inPlace } from './attach';
import { copy } from './copy';
import { dump } from './dump';
import { guard } from './guard';
import { prepare } from './prepare';
import { openSession } from './session';
import { inspect, serverCommand } from './throw-away';

/** The engine: what is known of Redis and Valkey outside this folder. */
export const engine: Engine = {
  name: 'redis',
  // The pause ends by itself; the settings that are changed under it do not.
  capabilities: { freezeOutlivesSession: true, mayBeOffline: false, hasServer: true, startsAlone: true },
  defaultPort: 6379,
  open: openSession,
  guard,
  restore: { withoutRecord: false, prepare, attach, inPlace, server: serverCommand, inspect, copy },
  dump,
};
