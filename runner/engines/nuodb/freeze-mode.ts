/**
 * How the backup hooks make the archive stand still: what each of their modes means, and what tells which it is. Pure.
 * [doc: nuodb/nuodb-helm-charts, files/backup_hooks.py: freeze_archive, pre_backup; FREEZE_MODE is of nuodb-sidecar after it]
 */
import type { Plan, PlanRequest } from '../../engine';

export const FREEZE_MODES = ['hotsnap', 'fsfreeze', 'suspend'] as const;
export type FreezeMode = (typeof FREEZE_MODES)[number];

/** By which the hooks are told of their mode: the second is that of the first hooks, which knew suspend and fsfreeze. */
export const MODE_VARIABLES = ['FREEZE_MODE', 'USE_SUSPEND'] as const;

/** What the manifest of their pod says; undefined where it says nothing, or something that is not known. */
export function modeOfPod(environment: Readonly<Record<string, string>> = {}): FreezeMode | undefined {
  const { FREEZE_MODE: mode, USE_SUSPEND: suspend } = environment;
  if (mode !== undefined) return FREEZE_MODES.find((each) => each === mode.toLowerCase());
  // Of the first hooks: anything but "true" freezes the file system.
  if (suspend !== undefined) return suspend === 'true' ? 'suspend' : 'fsfreeze';
  return undefined;
}

/** That of the policy, else that of the pod; pausing the archiving is what they do unless told otherwise. */
export function freezeModeOf({ options }: Pick<PlanRequest, 'options'>, ofPod: FreezeMode | undefined): FreezeMode {
  return FREEZE_MODES.find((mode) => mode === options.freezeMode) ?? ofPod ?? 'hotsnap';
}

interface Meaning {
  /** What still goes on at a storage manager that is held. A journal that goes on keeps what the archive lacks. */
  readonly freezes: Plan['freezes'];
  readonly held: string;
}

const MEANINGS: Readonly<Record<FreezeMode, Meaning>> = {
  hotsnap: { freezes: 'log-recycling', held: 'the archive stood still (archiving paused) while the journal went on' },
  // The file system of the archive alone: that of the journal takes writes until one of them waits for the archive.
  fsfreeze: { freezes: 'log-recycling', held: 'the file system of the archive was frozen while the journal went on' },
  suspend: { freezes: 'everything', held: 'the storage manager was suspended: archive and journal stood still' },
};

/** The hooks hold nothing where the journal has no volume of its own, whatever their mode: the one volume is cut at an instant. */
const ONE_VOLUME: Meaning = {
  freezes: 'nothing',
  held: 'archive and journal lie on one volume, which was cut at one instant and recovers as after a crash: the hooks hold nothing there, and have written the id of this backup into it',
};

export function meaningOf(mode: FreezeMode, volumes: number): Meaning {
  return volumes > 1 ? MEANINGS[mode] : ONE_VOLUME;
}

/** Whether transactions wait while a storage manager is held. */
export function standsStill(mode: FreezeMode, volumes: number): boolean {
  return meaningOf(mode, volumes).freezes === 'everything';
}
