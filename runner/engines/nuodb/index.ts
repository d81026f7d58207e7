/** NuoDB: its storage managers, held by the backup hooks that run beside each of them. */
import type { Engine } from '../../engine';
import { MODE_VARIABLES } from './freeze-mode';
import { guard } from './guard';
import { resource } from './resource';
import { inspect, prepare, serverCommand } from './restore';
import { openSession } from './session';
import { VOLUMES } from './volumes';

/** The engine: what is known of NuoDB outside this folder. */
export const engine: Engine = {
  name: 'nuodb',
  capabilities: { freezeOutlivesSession: true, mayBeOffline: false, hasServer: true, startsAlone: false },
  defaultPort: 8000,
  podEnvironment: MODE_VARIABLES,
  open: openSession,
  guard,
  restore: {
    withoutRecord: true,
    bareVolumes: VOLUMES,
    prepare,
    server: serverCommand,
    inspect,
    resource,
  },
};
