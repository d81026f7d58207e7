/** Which class an import is made with. Pure: what there is in, one class or an error out. */
import { StillpointError } from '../../errors';
import { DEFAULT_CLASS_ANNOTATION, type SnapshotClass } from '../../snapshots/objects';
import type { PlannedImport } from '../../travel/plan';

/**
 * The class that was named or, without a name, that of the driver: its default, else its only one. It is what the driver
 * reads its credentials by; whether it deletes does not matter, an import's content retains.
 */
export function chooseClass(
  classes: readonly SnapshotClass[],
  snapshots: readonly Pick<PlannedImport, 'driver'>[],
  named: string | undefined,
): SnapshotClass {
  const drivers = [...new Set(snapshots.map(({ driver }) => driver))];
  const [driver = '', ...others] = drivers;
  if (others.length > 0) {
    throw new StillpointError('class-driver-mismatch', `the snapshots are of several drivers: ${drivers.join(', ')}`);
  }
  if (named !== undefined) return namedClass(classes, driver, named);
  const ofDriver = classes.filter((each) => each.driver === driver);
  const defaults = ofDriver.filter(({ metadata }) => metadata.annotations?.[DEFAULT_CLASS_ANNOTATION] === 'true');
  const [only, second] = defaults.length > 0 ? defaults : ofDriver;
  if (only !== undefined && second === undefined) return only;
  throw new StillpointError(
    'class-not-found',
    only === undefined
      ? `there is no VolumeSnapshotClass of driver ${driver} in this cluster`
      : `driver ${driver} has several VolumeSnapshotClasses, and none or more than one is the default: ${ofDriver.map(({ metadata }) => metadata.name).join(', ')}`,
    {
      hint:
        only === undefined
          ? 'the driver has to be installed here, on the same storage; then make a class of it (SnapshotClass)'
          : 'say which with --class',
    },
  );
}

function namedClass([found]: readonly SnapshotClass[], driver: string, name: string): SnapshotClass {
  if (found === undefined) {
    throw new StillpointError('class-not-found', `there is no VolumeSnapshotClass ${name}`, {
      hint: `see which there are: kubectl get volumesnapshotclasses; the driver is ${driver}`,
    });
  }
  if (found.driver === driver) return found;
  throw new StillpointError(
    'class-driver-mismatch',
    `VolumeSnapshotClass ${name} is of driver ${found.driver}, but the snapshot is of ${driver}`,
    { hint: `name a class of ${driver} with --class` },
  );
}
