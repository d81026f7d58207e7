import type { Size } from 'cdk8s';

/**
 * A volume that a Job works in; it goes with the Job's pod: ten minutes after the end of a backup that was scheduled, else when the Job is
 * removed.
 */
export interface Neo4jScratchProps {
  /**
   * Its size. A backup has to have room in it for the files of all databases that it takes, and for the tool; a restore for the files of the backup, the
   * database, and a dump of it.
   */
  readonly size: Size;

  /**
   * Its storage class.
   *
   * @default - the cluster's default
   */
  readonly storageClassName?: string;
}
