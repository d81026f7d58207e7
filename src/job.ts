import type { Duration } from 'cdk8s';
import { k8s } from 'cdk8s-plus-28';
import { JOB_INDEX } from './contract';
import { RUNNER_CONTAINER } from './runner-pod';

/** Runner and guard: {@link JOB_INDEX}. */
const GUARDED_PODS = 2;

/** A pod that came to harm is replaced twice; the replacement finishes or undoes what the first began. */
const BACKOFF_LIMIT = 2;

/**
 * The exit code that no repetition mends: the job config cannot be read. All others are worth it
 * (docs/decisions/0011-what-a-job-repeats.md).
 */
const EXIT_CODE_USAGE = 2;

/**
 * The spec of a Job of the runner.
 *
 * @param final exit codes that no repetition mends either
 *
 * @internal
 */
export function runnerJob(
  template: k8s.PodTemplateSpec,
  deadline: Duration,
  guarded = false,
  final: readonly number[] = [],
): k8s.JobSpec {
  return {
    activeDeadlineSeconds: deadline.toSeconds(),
    ...(guarded
      ? {
          // Two pods from one template, which know their part by their index; what becomes of one is not counted against
          // the other (docs/decisions/0031-the-guard-is-a-pod-of-the-same-job.md).
          completionMode: 'Indexed',
          completions: GUARDED_PODS,
          parallelism: GUARDED_PODS,
          backoffLimitPerIndex: BACKOFF_LIMIT,
        }
      : { backoffLimit: BACKOFF_LIMIT, completions: 1, parallelism: 1 }),
    podFailurePolicy: {
      rules: [
        // A drained node or a preemption is nobody's failure: the next pod goes on, and it does not count.
        { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
        {
          action: 'FailJob',
          onExitCodes: { containerName: RUNNER_CONTAINER, operator: 'In', values: [EXIT_CODE_USAGE, ...final] },
          onPodConditions: [],
        },
      ],
    },
    template,
  };
}

/**
 * A Job succeeds as soon as its runner has, whatever has become of the guard. The field is younger than cdk8s-plus-28,
 * whose objects leave out what they do not know. API servers before Kubernetes 1.31 leave it out too: there the guard ends
 * by itself.
 */
const SUCCESS_POLICY = { rules: [{ succeededIndexes: `${JOB_INDEX.runner}` }] } as const;

/**
 * A Job of a runner and its guard.
 *
 * @internal
 */
export class GuardedJob extends k8s.KubeJob {
  // biome-ignore lint/suspicious/noExplicitAny: as ApiObject has it
  public override toJson(): any {
    const { spec, ...job } = super.toJson();
    return { ...job, spec: { ...spec, successPolicy: SUCCESS_POLICY } };
  }
}

/**
 * A CronJob whose Jobs are of a runner and its guard.
 *
 * @internal
 */
export class GuardedCronJob extends k8s.KubeCronJob {
  // biome-ignore lint/suspicious/noExplicitAny: as ApiObject has it
  public override toJson(): any {
    const { spec, ...cronJob } = super.toJson();
    const { spec: jobSpec, ...template } = spec.jobTemplate;
    const jobTemplate = { ...template, spec: { ...jobSpec, successPolicy: SUCCESS_POLICY } };
    return { ...cronJob, spec: { ...spec, jobTemplate } };
  }
}
