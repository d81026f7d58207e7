/** Where databases and their volumes are. */
import type {
  BackupRecord,
  DatabaseResource,
  RecordedResource,
  RecordedVolume,
  VolumeSelection,
} from '../../src/contract';
import type { Finding } from './world';

/** A volume of the plan: what the policy selects, resolved to what is there. */
export interface Volume extends RecordedVolume {
  /** The claim's namespace; empty for folders. */
  readonly namespace: string;
  /** Folders inside this one that are volumes of their own: a copy leaves them empty. Only folders have such. */
  readonly nested?: readonly string[] | undefined;
}

/** What is mounted where in the server's pod (or, without Kubernetes, the folders of the plan). */
export interface Mount {
  readonly path: string;
  /** The claim (or folder) that lies there; undefined for anything that is no claim (emptyDir, config, secret). */
  readonly claim: string | undefined;
  /** The name of the volume in the pod's spec. */
  readonly volume?: string | undefined;
  readonly subPath?: string | undefined;
  readonly readOnly?: boolean | undefined;
}

/** What the kubelet asks a container, again and again. */
export interface Probe {
  readonly kind: 'liveness' | 'readiness';
  readonly container: string;
  /** By its name in the pod's spec. */
  readonly how: 'exec' | 'httpGet' | 'grpc' | 'tcpSocket';
  /** How long it may go without success at least, in seconds, until the kubelet acts. */
  readonly seconds: number;
}

/** The operator that runs a server, and what it made it from. */
export interface Operator {
  /** By its name in operators.ts. */
  readonly name: string;
  readonly kind?: string;
  readonly object?: string;
}

/** The place that a server runs in, as far as it can be traced from its address. */
export interface ServerPlace {
  /** Changes when the server's pod is replaced, although its name stays. */
  readonly uid: string;
  readonly name: string;
  /** The container that the server runs in. */
  readonly container?: string | undefined;
  /**
   * Which start of each container of its pod runs, as late as the kubelet says so: who holds a server by a program beside it need
   * not notice that the server was started anew.
   */
  readonly running?: Readonly<Record<string, string>> | undefined;
  /**
   * Which start of each container it is, from 0 on: the one that runs, or the next one where the kubelet does not say that one runs. What is not
   * named was not started before.
   */
  readonly starts?: Readonly<Record<string, number>> | undefined;
  readonly node?: string | undefined;
  /** Where its server can be reached, when it was found by the name of its host. */
  readonly address?: string | undefined;
  readonly mounts: readonly Mount[];
  /** Of the server's container. */
  readonly probes?: readonly Probe[] | undefined;
  /** Undefined where nobody is known to run it but its user. */
  readonly operator?: Operator | undefined;
  /** What the record keeps of it for a restore. */
  readonly workload: BackupRecord['workload'];
}

/** A pod that may be the server, found by its labels. */
export interface FoundServer {
  readonly name: string;
  /** Undefined as long as it has none. */
  readonly address: string | undefined;
  /** Whether it says that it serves, and is not about to end. */
  readonly ready: boolean;
  readonly labels: Readonly<Record<string, string>>;
  /** What its containers are told by the variables that were asked for. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** Where databases and their volumes are: Kubernetes, or this machine. */
export interface Platform {
  /** Finds the claims that the policy selects. Throws claim-not-found. */
  resolveVolumes(selections: readonly VolumeSelection[]): Promise<readonly Volume[]>;
  /** The custom resource that a database is made from. Throws resource-not-found. */
  readResource(resource: DatabaseResource): Promise<Pick<RecordedResource, 'labels' | 'spec'>>;
  /** The pods that carry all of these labels, ready or not. */
  findServers(
    matchLabels: Readonly<Record<string, string>>,
    variables?: readonly string[],
  ): Promise<readonly FoundServer[]>;
  /**
   * Finds what runs at a server's own address (undefined: a Unix socket) or, where it knows none, under the name of its
   * host; undefined when nothing there is known.
   */
  placeOf(address: string | undefined, hostname?: string): Promise<ServerPlace | undefined>;
  /** The account's missing permissions, as findings. */
  checkAccess(): Promise<readonly Finding[]>;
  /** The UID of the cluster, for the record. */
  clusterUid(): Promise<string | undefined>;
}

/** Those who take backups, for others who find what one of them has begun. */
export interface Runners {
  /** Whether a Job's pod has ended, or is not there any more. */
  isGone(pod: string): Promise<boolean>;
  /**
   * Whether nobody is at work on a backup any more: no pod of its Job, neither its runner nor its guard, or no person with a
   * process of their own. That one is gone shows only after a while: ask again.
   */
  haveEnded(of: Pick<BackupRecord, 'database' | 'owner'>): Promise<boolean>;
}
