import type { StoppedWorkload } from './contract';

/** What runs on a volume, and is stopped while that is cut. */
export class WorkloadRef {
  /** A StatefulSet of the policy's namespace. */
  public static statefulSet(name: string): WorkloadRef {
    return new WorkloadRef({ kind: 'StatefulSet', name });
  }

  /** A Deployment of the policy's namespace. */
  public static deployment(name: string): WorkloadRef {
    return new WorkloadRef({ kind: 'Deployment', name });
  }

  private constructor(private readonly workload: StoppedWorkload) {}

  /** @internal */
  public _toConfig(): StoppedWorkload {
    return this.workload;
  }
}
