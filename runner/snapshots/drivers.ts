/**
 * What is known of CSI drivers: when a snapshot is cut, and which do not cut at one instant at all.
 *
 * The CSI spec wants CreateSnapshot to answer only when the snapshot is cut, and the sidecar writes `creationTime` only
 * after that answer: so a driver that is not named here counts as cut at `creationTime`, and the record says that it is
 * unknown.
 */

/** What tells that a driver has cut: the application may be let go then. */
export type CutSign = 'creationTime' | 'readyToUse';

/** What is known of one driver. */
export type DriverFacts =
  | { readonly known: boolean; readonly cutAt: CutSign }
  | { readonly known: true; readonly cutAt: 'never'; readonly why: string };

const cutAtOnce: DriverFacts = { known: true, cutAt: 'creationTime' };
const cutWhenReady: DriverFacts = { known: true, cutAt: 'readyToUse' };
const refused = (why: string): DriverFacts => ({ known: true, cutAt: 'never', why });

const DRIVERS: Readonly<Record<string, DriverFacts>> = {
  // The answer comes when EC2 has taken the snapshot's point in time; the upload goes on for minutes.
  'ebs.csi.aws.com': cutAtOnce,
  // READY, and CompletionPercent 100, come after the cut, too.
  'pd.csi.storage.gke.io': cutAtOnce,
  'disk.csi.azure.com': cutAtOnce,
  'rbd.csi.ceph.com': cutAtOnce,
  'openshift-storage.rbd.csi.ceph.com': cutAtOnce,
  'rook-ceph.rbd.csi.ceph.com': cutAtOnce,
  // Writes creationTime while the cut is still to come.
  'bsu.csi.outscale.com': cutWhenReady,
  // A task of its own makes the copy; it answers before (openebs/rawfile-localpv, pull request 213).
  'rawfile.csi.openebs.io': cutWhenReady,
  'hostpath.csi.k8s.io': refused('it writes creationTime and then runs tar over the live files'),
  'nfs.csi.k8s.io': refused('it runs tar over the live files'),
  'csi.juicefs.com': refused("it clones file by file: a directory's clone is not atomic"),
};

/** What is known of a driver. */
export function driverFacts(driver: string | undefined): DriverFacts {
  const facts = driver !== undefined && Object.hasOwn(DRIVERS, driver) ? DRIVERS[driver] : undefined;
  return facts ?? { known: false, cutAt: 'creationTime' };
}

/** What tells that a driver has cut. One that is refused never gets here by a check; should it, its end is waited for. */
export function cutSign(driver: string | undefined): CutSign {
  const { cutAt } = driverFacts(driver);
  return cutAt === 'never' ? 'readyToUse' : cutAt;
}
