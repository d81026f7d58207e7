/** What the registry knows of policies: documents beside the records, made with the policies and gone with them. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { COMPONENTS, LABELS, POLICY, POLICY_KEY, type Policy, policyDocumentName, validate } from '../../src/contract';
import { StillpointError } from '../errors';
import type { KubeClient } from '../kube/client';
import { CONFIG_MAPS, type ConfigMap } from '../kube/objects';
import type { Log, Policies } from '../ports';

/** ConfigMaps in the registry's namespace. */
export class KubernetesPolicies implements Policies {
  constructor(
    private readonly client: KubeClient,
    private readonly options: { readonly namespace: string; readonly log: Log },
  ) {}

  async list(): Promise<readonly Policy[]> {
    const { namespace, log } = this.options;
    const labels = { [LABELS.component]: COMPONENTS.policy };
    const { items } = await this.client.list(CONFIG_MAPS, { namespace, labels });
    return items.flatMap((item) => readable(item.metadata.name, () => policyIn(item), log));
  }
}

/** Files in the folder of the records. */
export class DirectoryPolicies implements Policies {
  constructor(
    private readonly directory: string,
    private readonly log: Log,
  ) {}

  async list(): Promise<readonly Policy[]> {
    const names = (await readdir(this.directory).catch(() => [])).filter((name) => name.endsWith('.policy.yaml'));
    const texts = await Promise.all(names.map((name) => readFile(join(this.directory, name), 'utf8')));
    return names.flatMap((name, index) => readable(name, () => parsePolicy(name, texts[index] ?? ''), this.log));
  }
}

/** A document that cannot be read says nothing: then all backups of its policy are kept. */
function readable(name: string, read: () => Policy, log: Log): Policy[] {
  try {
    return [read()];
  } catch (thrown) {
    log.warn({ policy: name }, `${(thrown as Error).message}: all its backups are kept`);
    return [];
  }
}

/**
 * The policy in an object. Throws record-unreadable when its name or labels speak of another one than its content: accounts
 * are held back by name and label, and what is removed is taken from the content.
 */
function policyIn({ metadata, data }: ConfigMap): Policy {
  const policy = parsePolicy(metadata.name, data?.[POLICY_KEY] ?? '');
  const own = policyDocumentName(policy.metadata.namespace, policy.metadata.name);
  if (metadata.name !== own || metadata.labels?.[LABELS.namespace] !== policy.metadata.namespace) {
    throw new StillpointError('record-unreadable', `policy ${metadata.name} has the content of ${own}`);
  }
  return policy;
}

function parsePolicy(name: string, text: string): Policy {
  let document: unknown;
  try {
    document = parse(text);
  } catch (thrown) {
    throw unreadable(name, `is no YAML: ${(thrown as Error).message.split('\n')[0]}`);
  }
  const [problem] = validate(POLICY, document);
  if (problem !== undefined) throw unreadable(name, `does not fit: ${problem.path} ${problem.message}`);
  const policy = document as Policy;
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: policy.spec.timeZone });
  } catch {
    throw unreadable(name, `has the time zone ${policy.spec.timeZone}, which this runner does not know`);
  }
  return policy;
}

function unreadable(name: string, why: string): StillpointError {
  return new StillpointError('record-unreadable', `policy ${name} ${why}`);
}
