/**
 * What is written on each snapshot of a backup when all is known of it, so that it tells what it is when the registry is
 * gone. Pure.
 */
import { ANNOTATIONS, type BackupRecord, type Cut, LABELS, labelValue, SNAPSHOT_TYPES } from '../src/contract';

/** Labels and annotations of an object. */
export interface Marks {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** The marks of one snapshot: those of its own member, where there are several. */
export function marksOf(record: BackupRecord, cut: Pick<Cut, 'volume'>): Marks {
  const { member: name } = record.volumes.find((volume) => volume.name === cut.volume) ?? {};
  const member = record.members?.find((each) => each.name === name) ?? record;
  const { engine, serverVersion, freezes } = member;
  const position = member.position ?? {};
  return {
    labels: {
      [LABELS.engine]: engine,
      [LABELS.batch]: record.id,
      [LABELS.group]: labelValue(record.policy),
      [LABELS.type]: freezes === undefined || freezes === 'nothing' ? SNAPSHOT_TYPES.crash : SNAPSHOT_TYPES.application,
      [LABELS.trigger]: record.trigger,
      ...(serverVersion === undefined ? {} : { [LABELS.serverVersion]: labelValue(serverVersion) }),
      ...(record.revision === undefined ? {} : { [LABELS.revision]: labelValue(record.revision) }),
    },
    annotations: {
      ...(serverVersion === undefined ? {} : { [ANNOTATIONS.serverVersion]: serverVersion }),
      ...(Object.keys(position).length === 0 ? {} : { [ANNOTATIONS.position]: JSON.stringify(position) }),
      ...named(ANNOTATIONS.binlogFile, position.binlogFile),
      ...named(ANNOTATIONS.binlogPosition, position.binlogPosition),
    },
  };
}

function named(annotation: string, value: string | undefined): Readonly<Record<string, string>> {
  return value === undefined ? {} : { [annotation]: value };
}
