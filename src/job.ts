import type { Duration } from 'cdk8s';
import type { k8s } from 'cdk8s-plus-28';
import { RUNNER_CONTAINER } from './runner-pod';

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
 * @internal
 */
export function runnerJob(template: k8s.PodTemplateSpec, deadline: Duration): k8s.JobSpec {
  return {
    activeDeadlineSeconds: deadline.toSeconds(),
    backoffLimit: BACKOFF_LIMIT,
    completions: 1,
    parallelism: 1,
    podFailurePolicy: {
      rules: [
        // A drained node or a preemption is nobody's failure: the next pod goes on, and it does not count.
        { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
        {
          action: 'FailJob',
          onExitCodes: { containerName: RUNNER_CONTAINER, operator: 'In', values: [EXIT_CODE_USAGE] },
          onPodConditions: [],
        },
      ],
    },
    template,
  };
}
