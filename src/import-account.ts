import { Construct } from 'constructs';
import { grantAccess } from './access';
import { checkLabel } from './checks';
import { COMPONENTS, DEFAULT_REGISTRY_NAMESPACE, HELD_ACCOUNT_PREFIX, importAccess } from './contract';
import { labelsOf, namespaceOf, takeName } from './objects';
import type { IRegistry } from './registry';

/** Properties of an {@link ImportAccount}. */
export interface ImportAccountProps {
  /**
   * Where the records are kept.
   *
   * @default - the namespace `stillpoint`
   */
  readonly registry?: IRegistry;

  /**
   * Labels for everything that the construct makes.
   *
   * @default - none but Stillpoint's own
   */
  readonly labels?: { [key: string]: string };

  /**
   * Annotations for everything that the construct makes.
   *
   * @default - none
   */
  readonly annotations?: { [key: string]: string };
}

/**
 * An account that may import backups into the chart's namespace, for those who are no admins of the cluster and for pipelines:
 * `stillpoint import` under a token of it (`kubectl create token`).
 *
 * It may make VolumeSnapshotContents, which are cluster-wide. The admission policy of the `Registry` holds it to contents of
 * its own namespace that retain; whose snapshot a handle names, the API server cannot tell.
 *
 * @example
 * new ImportAccount(chart, 'orders');
 */
export class ImportAccount extends Construct {
  /** The name of the account. */
  public readonly accountName: string;

  constructor(scope: Construct, id: string, props: ImportAccountProps = {}) {
    super(scope, id);
    checkLabel(this, 'id', id);
    const namespace = namespaceOf(this);
    this.accountName = `${HELD_ACCOUNT_PREFIX}import-${id}`;
    takeName(this, 'ServiceAccount', `${namespace}/${this.accountName}`);
    grantAccess(this, importAccess(), {
      accountName: this.accountName,
      accountNamespace: namespace,
      registryNamespace: props.registry?.namespaceName ?? DEFAULT_REGISTRY_NAMESPACE,
      labels: labelsOf(COMPONENTS.restore, props.labels),
      annotations: { ...props.annotations },
    });
  }
}
