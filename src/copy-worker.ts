import { k8s } from 'cdk8s-plus-28';
import type { Construct } from 'constructs';
import { COMPONENTS, COPY_MOUNTS, type CopyConfig, LABELS, MOUNTS } from './contract';
import type { SnapshotCopyProps } from './copy-props';
import { labelsOf } from './objects';
import { TOOL_RESOURCES } from './resources';
import { type MountedVolume, type RunnerSecurity, runnerPod } from './runner-pod';

/** Where a container says what came of its work. */
const TERMINATION_LOG = '/dev/termination-log';

/**
 * The worker of a policy of copies: no pod until it is scaled to one, which mounts the claims that are there then, reads them, and
 * tells what came of it when it ends. How many there are is nothing that Git says: the first time it is one, which waits for claims
 * until the first run of the policy takes it down.
 *
 * @internal
 */
export function addCopyWorker(
  scope: Construct,
  props: SnapshotCopyProps,
  { metadata: { namespace }, spec }: CopyConfig,
  { configName, accountName }: { readonly configName: string; readonly accountName: string },
): void {
  const more = { [LABELS.database]: spec.database };
  const labels = labelsOf(COMPONENTS.copyWorker, props.labels, more);
  const pod = runnerPod(
    { ...props, resources: props.resources ?? TOOL_RESOURCES },
    {
      args: ['copy-files', '--config', `${MOUNTS.config}/${MOUNTS.configFile}`, '--result', TERMINATION_LOG],
      accountName,
      labels,
      volumes: [
        { volume: { name: 'config', configMap: { name: configName } }, path: MOUNTS.config },
        { volume: { name: 'order', configMap: { name: spec.copy.order } }, path: COPY_MOUNTS.order },
        { volume: { name: 'state', emptyDir: {} }, path: COPY_MOUNTS.state, writable: true },
        ...spec.copy.volumes.map(({ name, claim }, index) => ({
          volume: { name: `volume-${index}`, persistentVolumeClaim: { claimName: claim } },
          path: `${COPY_MOUNTS.volumes}/${name}`,
        })),
        ...props.storage._volumes().map(readable),
      ],
      security: securityOf(spec.copy.runAsUser, props.runAsGroup),
    },
  );
  new k8s.KubeDeployment(scope, 'Worker', {
    metadata: {
      name: spec.copy.worker,
      ...(namespace === undefined ? {} : { namespace }),
      labels,
      annotations: { ...props.annotations },
    },
    spec: {
      selector: { matchLabels: { [LABELS.component]: COMPONENTS.copyWorker, ...more } },
      strategy: { type: 'Recreate' },
      revisionHistoryLimit: 1,
      template: {
        metadata: pod.metadata ?? {},
        spec: {
          ...pod.spec,
          containers: pod.spec?.containers ?? [],
          restartPolicy: 'Always',
          // It has no right on the API, and no token. Its account is what a cloud knows it by.
          automountServiceAccountToken: false,
        },
      },
    },
  });
}

/**
 * No fsGroup: it would change the owners of what is copied. Root reads what is another user's by a capability that the Pod Security
 * Standard `baseline` admits; the mounts are read-only. DAC_READ_SEARCH, which sounds like less, also opens files by their handles.
 */
function securityOf(user: number, group = user): RunnerSecurity {
  return user === 0 ? { user, group, capabilities: ['DAC_OVERRIDE'] } : { user, group };
}

/** Without an fsGroup a mounted Secret is root's: readable for whoever this pod runs as, and nobody else is in it. */
function readable({ volume, ...mounted }: MountedVolume): MountedVolume {
  const { projected } = volume;
  if (projected === undefined) return { volume, ...mounted };
  return { ...mounted, volume: { ...volume, projected: { ...projected, defaultMode: 0o444 } } };
}
