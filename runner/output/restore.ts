/** What came of a restore, as people and scripts read it. Pure: results in, text out. */
import { stringify } from 'yaml';
import type { RestoredServer, RestoreResult } from '../commands/restore';
import type { UndoneRestore } from '../restore/site';
import type { Output } from './records';
import { type Column, table } from './table';

/** A restore that has come to its end. */
export function formatRestore(result: RestoreResult, output: Output): string {
  if (output === 'json') return `${JSON.stringify(result, null, 2)}\n`;
  if (output === 'yaml') return stringify(result);
  if (output === 'name') return result.volumes.map(({ claim }) => `${claim}\n`).join('');
  const { prepared, server } = result;
  const servers = result.members ?? (prepared === undefined ? [] : [{ member: '', prepared, server }]);
  const resources = (result.resources ?? []).map((each) => `${each}\n`);
  return [volumes(result), ...servers.flatMap((each) => [files(each), serverText(each)]), ...resources].join('');
}

function files({ member, prepared: { uid, gid, dataPath } }: RestoredServer): string {
  const whose = member === '' ? 'The files' : `The files of ${member}`;
  return `\n${whose} belong to user ${uid}, group ${gid}; the server starts on ${dataPath}.\n`;
}

/** What became of a restore that was undone. */
export function formatUndone({ removed, kept }: UndoneRestore, output: Output): string {
  if (output === 'json') return `${JSON.stringify({ removed, kept }, null, 2)}\n`;
  if (output === 'yaml') return stringify({ removed, kept });
  return [
    ...removed.map((name) => `${name} removed\n`),
    ...kept.map((name) => `${name} kept, as its class says; to be rid of it: ${letGo(name)}\n`),
  ].join('');
}

/** Deleting a volume that is retained removes the object, and leaves the storage. */
function letGo(volume: string): string {
  return `kubectl patch ${volume} -p '{"spec":{"persistentVolumeReclaimPolicy":"Delete"}}'`;
}

function volumes({ namespace, volumes: made }: RestoreResult): string {
  const inCluster: Column<(typeof made)[number]>[] = [
    { title: 'CLAIM', value: ({ claim }) => `${namespace}/${claim}` },
    { title: 'SIZE', value: ({ size }) => size ?? '' },
    { title: 'CLASS', value: ({ storageClass }) => storageClass ?? '' },
    { title: 'MOUNT AT', value: ({ mountPath }) => mountPath },
  ];
  const local: typeof inCluster = [{ title: 'FOLDER', value: ({ claim }) => claim }];
  return table([{ title: 'VOLUME', value: ({ volume }) => volume }, ...(namespace === '' ? local : inCluster)], made);
}

function serverText({ server: started }: RestoredServer): string {
  if (started === undefined) return '';
  const { recorded, inspection, kept, reach } = started;
  const positions = table(
    [
      { title: 'POSITION', value: (name) => name },
      { title: 'RECORDED', value: (name) => recorded[name] ?? '' },
      { title: 'RESTORED', value: (name) => inspection.position[name] ?? '' },
    ],
    Object.keys(inspection.position),
  );
  const findings = inspection.findings.map(({ message }) => `  ${message}\n`).join('');
  const left = kept
    ? `It still runs:\n${reach.map((line) => `  ${line}\n`).join('')}`
    : 'It has been removed again; the claims stay.\n';
  return `\nA server of version ${inspection.version} came up on them:\n${findings}\n${positions}\n${left}`;
}
