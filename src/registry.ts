import { Duration } from 'cdk8s';
import { k8s } from 'cdk8s-plus-28';
import { Construct } from 'constructs';
import { stringify } from 'yaml';
import { grantAccess } from './access';
import { checkLabel } from './checks';
import { guardContents } from './content-guard';
import {
  API_VERSION,
  COMPONENTS,
  DEFAULT_REGISTRY_NAMESPACE,
  DEFAULT_SLOTS,
  LABELS,
  MOUNTS,
  PRUNER_NAME,
  prunerAccess,
  STORES_FILE,
  STORES_KIND,
  type StoresConfig,
  slotNames,
} from './contract';
import { runnerJob } from './job';
import { guardNamespace } from './namespace-guard';
import { labelsOf, noNamespace, takeName, templateMetadata } from './objects';
import { guardProtected } from './protection-guard';
import { type RecordCopiesProps, recordCopiesConfig, recordCopiesVolumes } from './record-copies';
import { guardRecords } from './record-guard';
import { type MountedVolume, type RunnerPodProps, runnerPod } from './runner-pod';
import { BackupSchedule } from './schedule';
import { guardSecrets } from './secret-guard';
import type { BackupStorage } from './storage';

/** Where the records of backups are kept. */
export interface IRegistry {
  /** The registry's own namespace. */
  readonly namespaceName: string;
  /**
   * How many backups may be at the snapshot controller at a time.
   *
   * @default 1
   */
  readonly snapshotSlots?: number;
}

/** Properties of a {@link Registry}. */
export interface RegistryProps extends RunnerPodProps {
  /**
   * The name of the namespace.
   *
   * @default 'stillpoint'
   */
  readonly namespaceName?: string;

  /**
   * How often the pruner removes backups that no retention keeps, and what deleted and failed ones have left. After a
   * backup of a policy with a retention it does so at once, besides.
   *
   * @default - once an hour
   */
  readonly schedule?: BackupSchedule;

  /**
   * Whether the API server holds the account of each policy to the records of its own namespace, and to contents that stand
   * for snapshots there, and lets nobody delete the record of a protected backup, by ValidatingAdmissionPolicies. Only for
   * clusters before Kubernetes 1.30, which do not have them, are they left out: there who has the token of one policy's
   * account can change the records of all.
   *
   * @default true
   */
  readonly admissionPolicy?: boolean;

  /**
   * Whether the API server refuses to delete the registry's namespace, by a ValidatingAdmissionPolicy, whoever asks, until
   * somebody has labelled it `stillpoint.dev/removable=true`.
   *
   * @default - as admissionPolicy
   */
  readonly keepNamespace?: boolean;

  /**
   * How many backups may be at the snapshot controller at a time. With its default settings it makes 5 requests a second
   * for the whole cluster, and a snapshot takes 8: so backups take turns, and wait for theirs before they freeze anything,
   * not while they hold it. One that is started with `--kube-api-qps=50` and `--kube-api-burst=100` serves 10. With 0
   * nobody waits.
   *
   * @default 1
   */
  readonly snapshotSlots?: number;

  /**
   * The stores that policies put dumps into: the pruner removes them from there. The Secrets with the credentials have to be in
   * the registry's namespace; only these need the right to delete. A claim of a `BackupStorage.volume` has to be there too,
   * under the same name. Of a store that is not named here nothing is removed: its backups stay listed as `deleting`.
   *
   * @default - none
   */
  readonly storages?: BackupStorage[];

  /**
   * Where copies of the records of snapshot backups are kept, as `stillpoint export` writes them: with the cluster lost,
   * `stillpoint import --from` makes its backups known to another one on the same storage. The pruner writes those that are new, and removes
   * those of backups that it has removed, whenever it prunes. A dump has its record beside it anyway.
   *
   * @default - records are in this cluster alone
   */
  readonly recordCopies?: RecordCopiesProps;
}

/** Removing what many backups left takes a while, and the next run goes on with the rest. */
const PRUNE_DEADLINE = Duration.hours(1);

/**
 * Keeps tools that remove what is no longer in Git away from the namespace: with it they would take the records of all
 * backups (safety rule 14). Each tool has an annotation of its own for that.
 */
const KEEP = {
  'argocd.argoproj.io/sync-options': 'Prune=false,Delete=false',
  'kustomize.toolkit.fluxcd.io/prune': 'disabled',
} as const;

/**
 * The registry: a namespace for the records, and the pruner, the only account that may let the storage forget a snapshot.
 * Applied once in a cluster.
 *
 * @example
 * new Registry(chart, 'registry');
 */
export class Registry extends Construct implements IRegistry {
  /**
   * A registry that is there already.
   *
   * @param namespaceName its namespace
   * @param snapshotSlots how many backups may be at the snapshot controller at a time; 1 when left out
   */
  public static fromNamespace(namespaceName: string, snapshotSlots: number = DEFAULT_SLOTS): IRegistry {
    return { namespaceName, snapshotSlots };
  }

  /** The registry's own namespace. */
  public readonly namespaceName: string;
  /** How many backups may be at the snapshot controller at a time. */
  public readonly snapshotSlots: number;

  constructor(scope: Construct, id: string, props: RegistryProps = {}) {
    super(scope, id);
    this.namespaceName = props.namespaceName ?? DEFAULT_REGISTRY_NAMESPACE;
    checkLabel(this, 'namespaceName', this.namespaceName);
    takeName(this, 'registry', this.namespaceName);
    const labels = labelsOf(COMPONENTS.pruner, props.labels);
    const annotations = { ...props.annotations };
    new k8s.KubeNamespace(this, 'Resource', {
      metadata: {
        name: this.namespaceName,
        namespace: noNamespace(),
        labels: { ...labels, 'pod-security.kubernetes.io/enforce': 'restricted' },
        annotations: { ...annotations, ...KEEP },
      },
    });
    this.snapshotSlots = props.snapshotSlots ?? DEFAULT_SLOTS;
    for (const [index, name] of slotNames(this.snapshotSlots).entries()) {
      // Without a spec: whose turn it is is nothing that Git knows, or takes back.
      const metadata = { name, namespace: this.namespaceName, labels, annotations };
      new k8s.KubeLease(this, `Slot${index}`, { metadata });
    }
    grantAccess(this, prunerAccess(props.recordCopies && this.namespaceName), {
      accountName: PRUNER_NAME,
      accountNamespace: this.namespaceName,
      registryNamespace: this.namespaceName,
      labels,
      annotations,
    });
    if (props.admissionPolicy ?? true) {
      guardRecords(this, this.namespaceName, { labels, annotations });
      guardProtected(this, this.namespaceName, { labels, annotations });
      guardSecrets(this, this.namespaceName, { labels, annotations });
      guardContents(this, this.namespaceName, { labels, annotations });
    }
    if (props.keepNamespace ?? props.admissionPolicy ?? true) {
      guardNamespace(this, this.namespaceName, { labels, annotations });
    }
    const volumes = this.addStores(props, labels);
    const args = [
      ...['prune', '--registry', this.namespaceName],
      ...(volumes.length === 0 ? [] : ['--stores', `${MOUNTS.config}/${STORES_FILE}`]),
    ];
    this.addPrunerOnDemand(props, args, volumes);
    const template = runnerPod(props, { args, accountName: PRUNER_NAME, labels, volumes });
    new k8s.KubeCronJob(this, 'Pruner', {
      metadata: { name: PRUNER_NAME, namespace: this.namespaceName, labels, annotations },
      spec: {
        schedule: (props.schedule ?? BackupSchedule.hourly()).expressionFor(`${this.namespaceName}/${PRUNER_NAME}`),
        timeZone: 'Etc/UTC',
        concurrencyPolicy: 'Forbid',
        startingDeadlineSeconds: Duration.hours(1).toSeconds(),
        successfulJobsHistoryLimit: 1,
        failedJobsHistoryLimit: 3,
        jobTemplate: { metadata: templateMetadata(labels, annotations), spec: runnerJob(template, PRUNE_DEADLINE) },
      },
    });
  }

  /** Which stores there are, each at a place of its own in the pruner's pod. */
  private addStores(
    { storages = [], recordCopies, annotations }: RegistryProps,
    labels: Record<string, string>,
  ): MountedVolume[] {
    if (storages.length === 0 && recordCopies === undefined) return [];
    const stores = storages.map((storage, index) => storage._toConfig(`-${index}`));
    const copies = recordCopies && { recordCopies: recordCopiesConfig(recordCopies) };
    const document: StoresConfig = { apiVersion: API_VERSION, kind: STORES_KIND, spec: { stores, ...copies } };
    const metadata = { name: PRUNER_NAME, namespace: this.namespaceName, labels, annotations: { ...annotations } };
    new k8s.KubeConfigMap(this, 'Stores', { metadata, data: { [STORES_FILE]: stringify(document, { lineWidth: 0 }) } });
    return [
      { volume: { name: 'config', configMap: { name: PRUNER_NAME } }, path: MOUNTS.config },
      ...storages.flatMap((storage, index) => storage._volumes(`-${index}`)),
      ...(recordCopies === undefined ? [] : recordCopiesVolumes(recordCopies)),
    ];
  }

  /**
   * Prunes when it is scaled to one, which a backup's account may do and nothing else, and then scales itself to none. How many
   * there are is nothing that Git says: the first time it is one.
   */
  private addPrunerOnDemand(props: RegistryProps, args: readonly string[], volumes: readonly MountedVolume[]): void {
    const labels = labelsOf(COMPONENTS.prunerOnDemand, props.labels);
    const pod = runnerPod(props, { args: [...args, '--on-demand'], accountName: PRUNER_NAME, labels, volumes });
    new k8s.KubeDeployment(this, 'PrunerOnDemand', {
      metadata: { name: PRUNER_NAME, namespace: this.namespaceName, labels, annotations: { ...props.annotations } },
      spec: {
        selector: { matchLabels: { [LABELS.component]: COMPONENTS.prunerOnDemand } },
        strategy: { type: 'Recreate' },
        revisionHistoryLimit: 1,
        template: {
          metadata: pod.metadata ?? {},
          spec: { ...pod.spec, containers: pod.spec?.containers ?? [], restartPolicy: 'Always' },
        },
      },
    });
  }
}
