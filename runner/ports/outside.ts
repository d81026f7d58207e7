/** What is done to a database from outside its session: commands in pods, and a workload that is stopped and started. */
import type { HookPlace, StoppedWorkload } from '../../src/contract';
import type { Mount } from './platform';
import type { Finding } from './world';

/** A pod that a hook's commands run in. */
export interface HookPod {
  readonly name: string;
  readonly uid: string;
  readonly container: string;
  /** Changes when the container is started anew. */
  readonly containerId: string;
  /** Of that container. */
  readonly mounts: readonly Mount[];
}

/** How a command ended. */
export interface CommandEnd {
  readonly exitCode: number;
  /** The last of what it wrote, on one line. */
  readonly said: string;
}

/** Commands in pods of the database's namespace. */
export interface PodCommands {
  /** The pod that is meant. Throws hook-unsuitable when there is none, or more than one. */
  find(place: HookPlace, signal: AbortSignal): Promise<HookPod>;
  /** Runs a command to its end. When the signal aborts it is not waited for any longer; the pod may still be at it. */
  run(pod: HookPod, command: readonly string[], signal: AbortSignal): Promise<CommandEnd>;
}

/** A workload as it is. */
export interface SeenWorkload {
  readonly uid: string;
  /** Counts the changes of its spec: the same twice means that it was not scaled in between. */
  readonly generation: string;
  readonly replicas: number;
  /** How many of its pods serve. */
  readonly ready: number;
  /** The pods that hold one of the claims, whosever they are. */
  readonly holders: readonly string[];
}

/** Sees who holds claims, from a first list on. */
export interface HolderWatch extends AsyncDisposable {
  /** Resolves when nobody holds any of them. */
  free(signal: AbortSignal): Promise<void>;
  /** Every pod that has held one of them since they were free. */
  readonly since: readonly string[];
}

/** What runs on claims, by its replicas. */
export interface Workloads {
  /** Undefined when there is no such workload. */
  look(workload: StoppedWorkload, claims: readonly string[], signal: AbortSignal): Promise<SeenWorkload | undefined>;
  /** What speaks against stopping it, and who else might start it. */
  check(workload: StoppedWorkload, claims: readonly string[], signal: AbortSignal): Promise<readonly Finding[]>;
  scale(workload: StoppedWorkload, replicas: number, signal: AbortSignal): Promise<void>;
  watchHolders(claims: readonly string[]): HolderWatch;
}

/** All of it. */
export interface Outside {
  readonly pods: PodCommands;
  readonly workloads: Workloads;
}
