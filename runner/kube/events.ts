/** Says on the Job what happens: `kubectl describe job` and `kubectl get events` show it. */
import type { Clock, EventReason, Events, Run } from '../ports';
import type { KubeClient } from './client';
import { EVENTS } from './objects';

/** The API refuses longer messages. */
const MESSAGE_MAX = 1024;

/** On which Job, and where it is. */
export interface KubernetesEventsOptions {
  readonly namespace: string;
  readonly run: Run;
  readonly clock: Clock;
}

export class KubernetesEvents implements Events {
  readonly #client: KubeClient;
  readonly #options: KubernetesEventsOptions;
  #count = 0;

  constructor(client: KubeClient, options: KubernetesEventsOptions) {
    this.#client = client;
    this.#options = options;
  }

  async emit(type: 'Normal' | 'Warning', reason: EventReason, message: string): Promise<void> {
    const { namespace, run, clock } = this.#options;
    const { jobName = '', jobUid, pod } = run.owner;
    const now = clock.now();
    const at = `${now.toISOString().slice(0, 19)}Z`;
    await this.#client.create(EVENTS, {
      metadata: { name: `${jobName}.${now.getTime().toString(16)}${this.#count++}`, namespace },
      involvedObject: { apiVersion: 'batch/v1', kind: 'Job', name: jobName, namespace, uid: jobUid },
      type,
      reason,
      message: message.length > MESSAGE_MAX ? `${message.slice(0, MESSAGE_MAX - 1)}…` : message,
      source: { component: 'stillpoint' },
      reportingComponent: 'stillpoint',
      reportingInstance: pod ?? jobName,
      firstTimestamp: at,
      lastTimestamp: at,
      count: 1,
    });
  }
}
