/** The two volumes of a storage manager, as the Helm chart makes them. [doc: templates/statefulset.yaml] */
import type { BareVolume } from '../../engine';

export const ARCHIVE: BareVolume = { name: 'archive', role: 'data', mountPath: '/var/opt/nuodb/archive' };
export const JOURNAL: BareVolume = { name: 'journal', role: 'log', mountPath: '/var/opt/nuodb/journal' };

/** The archive first: a journal without a volume of its own lies on that. */
export const VOLUMES: readonly BareVolume[] = [ARCHIVE, JOURNAL];
