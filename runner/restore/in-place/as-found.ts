/**
 * What a journal says of the workload, brought up to what there is when the workload's turn comes. Between the beginning and
 * that lie the hours of the copy, and days where it was run again, or is undone: what people have set meanwhile is put back,
 * and not what was there when it began. Pure.
 */
import { largest } from '../quantity';
import { fitting, ofSize, requestedSize } from './claim-size';
import type { Seen } from './machine';
import { type ExchangedVolume, incoming, isAway, type Operation, outgoing } from './operation';

/** The operation when its database is about to be taken away. Where it is away already, what is written down counts. */
export function goingDown(operation: Operation, seen: Seen): Operation {
  return isAway(operation) ? operation : { ...asFound(operation, seen), phase: 'down' };
}

/** The operation the other way round: the kept volume is put back, and the restored one is kept. */
export function undoing(operation: Operation, seen: Seen): Operation {
  if (operation.direction === 'undo') return operation;
  const turned: Operation = { ...operation, direction: 'undo', phase: 'down', upAt: undefined };
  if (!isAway(operation)) return { ...asFound(turned, seen), downAt: undefined };
  // What is scaled up has got its own wish back in that write. Should it have another now, somebody has set that.
  const isBack = operation.phase === 'up' && seen.replicas > 0;
  return isBack ? { ...turned, deletesWhenScaled: seen.deletesWhenScaled } : turned;
}

/**
 * What was at zero when its turn came, and has been started since: by a person, or at the end of a backup that had stopped it
 * by another policy, under another Lease. Nothing of it was put off, so what there is now is put back.
 */
export function startedMeanwhile(operation: Operation, { replicas, deletesWhenScaled }: Seen): Operation {
  return operation.replicas > 0 ? operation : { ...operation, replicas, deletesWhenScaled };
}

/** What will not be as it is now, for people: a claim that asks for more by now than the volume has that it gets. */
export function tooSmall(operation: Operation, { volumes }: Seen): readonly string[] {
  return operation.volumes.flatMap((volume) => {
    const { claim, claimSpec } = volume;
    const name = incoming(operation, volume);
    const [asks, gets] = [claimSpec, fitting(claimSpec, volumes[name]?.size)].map(requestedSize);
    if (asks === gets) return [];
    const afterwards = 'it will ask for no more; enlarge it again afterwards';
    return [`claim ${claim} asks for ${asks}, and persistent volume ${name} has ${gets}: ${afterwards}`];
  });
}

/** What is at zero stays there: somebody has stopped it, and nobody has asked for it to be started. */
function asFound(operation: Operation, seen: Seen): Operation {
  const { replicas, deletesWhenScaled } = seen;
  const volumes = operation.volumes.map((volume) => volumeAsFound(operation, volume, seen));
  return { ...operation, replicas, deletesWhenScaled, volumes };
}

function volumeAsFound(operation: Operation, volume: ExchangedVolume, seen: Seen): ExchangedVolume {
  const serves = outgoing(operation, volume);
  const claim = seen.claims[volume.claim];
  // A claim of another volume is somebody else's: the exchange says what it makes of that.
  if (claim?.volume !== serves) return volume;
  const { claimSpec, claimLabels, claimAnnotations } = claim;
  // The volume that is put back may be larger than the one that served instead, and was asked for as such.
  const size =
    operation.direction === 'undo'
      ? largest([volume.claimSpec, claimSpec].map(requestedSize))
      : requestedSize(claimSpec);
  return {
    ...volume,
    reclaimPolicy: seen.volumes[serves]?.reclaimPolicy ?? volume.reclaimPolicy,
    claimSpec: ofSize(claimSpec, size),
    claimLabels,
    claimAnnotations,
  };
}
