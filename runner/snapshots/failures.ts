/** What can go wrong with snapshots, as errors. */
import { StillpointError } from '../errors';

/** A snapshot that was there is there no more. */
export function cutLost(namespace: string, name: string): StillpointError {
  return new StillpointError('cut-lost', `snapshot ${namespace}/${name} was deleted while the backup was at work`);
}

/** The content by which the storage was asked is there no more. */
export function contentLost(name: string): StillpointError {
  return new StillpointError('cut-lost', `content ${name} was deleted while the backup was at work`);
}

/** An object of the name that a snapshot was to have is there already. */
export function nameTaken(kind: string, namespace: string, name: string): StillpointError {
  return new StillpointError('cut-failed', `there is a ${kind} ${namespace}/${name} already`, {
    hint: 'it is of an earlier run and on its way out, or somebody else made it: look at it, then run the backup again',
  });
}

/** The cluster cannot snapshot several volumes at one instant. */
export function noGroupApi(): StillpointError {
  return new StillpointError('class-not-found', 'this cluster has no API for group snapshots', {
    hint: 'leave the group class out: the volumes are then cut one by one, in backup mode',
  });
}
