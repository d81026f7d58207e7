/** Makes the custom resource of a copy, and its Secret. The right to read the recorded password is that of the person who asks. */
import { randomBytes } from 'node:crypto';
import { StillpointError } from '../errors';
import type { RestorePlan } from '../restore/plan';
import type { PlannedResource, ResourceSite } from '../restore/resource';
import type { KubeClient } from './client';
import { base64, CLAIMS, SECRETS, type Secret } from './objects';
import { type CustomResource, customKind, type KubeObject, type Resource } from './resource';
import { companionsEntry, secretCompanion } from './restore/companions';
import { isOwn, ownLabels } from './restore/labels';

const PASSWORD_BYTES = 24;

/** The key in the Secret beside a record. */
const RECORDED_KEY = 'password';

export class KubernetesResourceSite implements ResourceSite {
  readonly #client: KubeClient;
  readonly #registryNamespace: string;

  constructor(client: KubeClient, registryNamespace: string) {
    this.#client = client;
    this.#registryNamespace = registryNamespace;
  }

  async check(plan: RestorePlan, planned: PlannedResource, signal: AbortSignal): Promise<void> {
    const kind = customKind(planned);
    if (!(await this.#isMade(kind, planned.name, plan, signal))) {
      await this.#client.rehearse(kind, objectOf(plan, planned), signal);
    }
    const { secret } = planned;
    if (secret === undefined) return;
    await this.#recorded(secret.recordedIn, signal);
    await this.#isMade(SECRETS, secret.name, plan, signal);
  }

  async make(plan: RestorePlan, planned: PlannedResource, signal: AbortSignal): Promise<readonly string[]> {
    const { secret, namespace, name } = planned;
    await this.#nameOnClaims(plan, planned, signal);
    const made: string[] = [];
    // The Secret first: whoever makes a database of the resource reads it.
    if (secret !== undefined) {
      if (!(await this.#isMade(SECRETS, secret.name, plan, signal))) {
        const recorded = await this.#recorded(secret.recordedIn, signal);
        const data = { [secret.keys.password]: base64(newPassword()), [secret.keys.recorded]: recorded };
        await this.#client.create(SECRETS, { metadata: metadataOf(plan, secret.name), type: 'Opaque', data }, signal);
      }
      made.push(`Secret ${namespace}/${secret.name}`);
    }
    const kind = customKind(planned);
    if (!(await this.#isMade(kind, name, plan, signal))) {
      await this.#client.create(kind, objectOf(plan, planned), signal);
    }
    return [...made, `${kind.kind} ${namespace}/${name}`];
  }

  /** Before anything is made: whoever undoes the restore goes by it. The resource first, whose control plane reads the Secret. */
  async #nameOnClaims(plan: RestorePlan, planned: PlannedResource, signal: AbortSignal): Promise<void> {
    const { apiVersion, kind, plural, name, secret, namespace } = planned;
    const entry = companionsEntry([
      { apiVersion, kind, plural, name },
      ...(secret === undefined ? [] : [secretCompanion(secret.name)]),
    ]);
    for (const { claim } of plan.volumes) {
      await this.#client.patch(CLAIMS, { name: claim, namespace }, entry, signal);
    }
  }

  /** Whether an earlier run has made it. Throws restore-exists when somebody else has. */
  async #isMade<T extends KubeObject>(
    kind: Resource<T>,
    name: string,
    plan: RestorePlan,
    signal: AbortSignal,
  ): Promise<boolean> {
    const there = await this.#client.get(kind, { name, namespace: plan.namespace }, signal);
    if (there === undefined) return false;
    if (isOwn(there, plan)) return true;
    throw new StillpointError('restore-exists', `${kind.kind} ${plan.namespace}/${name} is there already`, {
      hint: 'give the copy another name: --resource',
    });
  }

  /** Base64, as it is. */
  async #recorded(name: string, signal: AbortSignal): Promise<string> {
    const found = await this.#client.get<Secret>(SECRETS, { name, namespace: this.#registryNamespace }, signal);
    const value = found?.data?.[RECORDED_KEY];
    if (value !== undefined) return value;
    throw new StillpointError(
      'backup-not-restorable',
      `the Secret ${this.#registryNamespace}/${name} with the recorded password is not there`,
      {
        hint: 'it goes with the record; of an imported backup it stays in the registry of the other cluster: bring it from there, under this name',
      },
    );
  }
}

function objectOf(
  plan: RestorePlan,
  { name, labels, spec }: PlannedResource,
): Omit<CustomResource, 'apiVersion' | 'kind'> {
  return { metadata: { ...metadataOf(plan, name), labels: { ...labels, ...ownLabels(plan) } }, spec };
}

function metadataOf(plan: RestorePlan, name: string): CustomResource['metadata'] {
  return { name, namespace: plan.namespace, labels: ownLabels(plan) };
}

const newPassword = (): string => randomBytes(PASSWORD_BYTES).toString('hex');
