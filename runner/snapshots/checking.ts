/** All that can be known of classes, drivers and claims before anything is touched (safety rule 2). */
import type { KubeClient } from '../kube/client';
import { isForbidden } from '../kube/errors';
import { CLAIMS } from '../kube/objects';
import type { KubeObject, Resource } from '../kube/resource';
import type { Finding, Volume } from '../ports';
import type { SnapshotContext } from './context';
import { driverFacts } from './drivers';
import { noGroupApi } from './failures';
import { apiOfGroups, commonLabels } from './group-api';
import { DEFAULT_CLASS_ANNOTATION, SNAPSHOT_CLASSES, type SnapshotClass } from './objects';

/** Checks volumes that will be cut one by one. */
export async function checkIndividually(
  context: SnapshotContext,
  volumes: readonly Volume[],
): Promise<readonly Finding[]> {
  const drivers = volumes.flatMap(checkVolume);
  if (context.className !== undefined) {
    const named = await checkNamedClass(context.client, SNAPSHOT_CLASSES, context.className, volumes);
    const direct = named.some(({ severity }) => severity === 'error') ? undefined : context.direct;
    return [...drivers, ...named, ...((await direct?.check(volumes)) ?? [])];
  }
  return [...drivers, ...(await checkDefaultClass(context.client, volumes))];
}

/** One instant is one driver's to give. */
const OF_ONE_DRIVER =
  'a group snapshot takes volumes of one driver: without groupSnapshotClass each is cut by itself, by SnapshotClass.fromClusterDefault() each by the class of its own driver';

/** Checks volumes that will be cut at one instant. */
export async function checkTogether(context: SnapshotContext, volumes: readonly Volume[]): Promise<readonly Finding[]> {
  const { client, groupClassName } = context;
  const kinds = await apiOfGroups(client);
  if (kinds === undefined) {
    const { code, message, hint } = noGroupApi();
    return [{ severity: 'error', code, subject: 'the API of group snapshots', message, hint }];
  }
  return [
    ...volumes.flatMap(checkVolume),
    ...(groupClassName === undefined
      ? []
      : await checkNamedClass(client, kinds.classes, groupClassName, volumes, OF_ONE_DRIVER)),
    ...(await checkSelector(context, volumes)),
  ];
}

function checkVolume({ claim, namespace, persistentVolume, driver }: Volume): Finding[] {
  const subject = `claim ${namespace}/${claim}`;
  if (persistentVolume === undefined) {
    const message = `claim ${namespace}/${claim} has no volume yet`;
    const hint = 'where the storage class binds on first use, the volume is made when a pod first mounts the claim';
    return [{ severity: 'error', code: 'claim-not-bound', subject, message, hint }];
  }
  if (driver === undefined) return [unknown(subject, `the driver of ${subject} could not be read`)];
  const facts = driverFacts(driver);
  if (facts.cutAt === 'never') {
    const message = `driver ${driver} of ${subject} does not cut at one instant: ${facts.why}`;
    const hint = 'move the volume to storage that has real snapshots, or take dumps';
    return [{ severity: 'error', code: 'driver-unsafe', subject, message, hint }];
  }
  const how = facts.known ? '' : ', which is not known here';
  return [ok(subject, `cut by driver ${driver}${how}: it counts as cut at ${facts.cutAt}`)];
}

async function checkNamedClass(
  client: KubeClient,
  kind: Resource<SnapshotClass>,
  name: string,
  volumes: readonly Volume[],
  hint = 'name a snapshot class of the same driver as the volume',
): Promise<readonly Finding[]> {
  const subject = `${kind.kind} ${name}`;
  const found = await readable(() => client.get(kind, { name }));
  if (found === 'forbidden') return [unknown(subject, `${subject} could not be read`)];
  if (found === undefined) {
    const message = `there is no ${subject}`;
    const hint = `see which there are: kubectl get ${kind.plural}`;
    return [{ severity: 'error', code: 'class-not-found', subject, message, hint }];
  }
  const drivers = volumes.flatMap((volume) => checkDriver(subject, found, volume, hint));
  return [...drivers, ...checkPolicy(subject, found)];
}

/** As the snapshot controller does it: the default class among those of the volume's driver. */
async function checkDefaultClass(client: KubeClient, volumes: readonly Volume[]): Promise<readonly Finding[]> {
  const subject = 'the default VolumeSnapshotClass';
  const listed = await readable(() => client.list(SNAPSHOT_CLASSES));
  if (listed === 'forbidden') return [unknown(subject, `${subject} could not be looked for`)];
  const drivers = [...new Set(volumes.flatMap(({ driver }) => driver ?? []))];
  return drivers.flatMap((driver) => {
    const candidates = listed.items.filter((each) => each.driver === driver && isDefault(each));
    const [only] = candidates;
    if (candidates.length === 1 && only !== undefined) return checkPolicy(`${subject} ${only.metadata.name}`, only);
    const names = candidates.map(({ metadata }) => metadata.name).join(', ');
    const message =
      only === undefined ? `driver ${driver} has no ${subject}` : `driver ${driver} has several: ${names}`;
    const hint = 'name the snapshot class in the policy';
    return [{ severity: 'error', code: 'class-not-found', subject, message, hint }];
  });
}

function isDefault({ metadata }: KubeObject): boolean {
  return metadata.annotations?.[DEFAULT_CLASS_ANNOTATION] === 'true';
}

function checkDriver(subject: string, { driver }: SnapshotClass, volume: Volume, hint: string): Finding[] {
  if (volume.driver === undefined || volume.driver === driver) return [];
  const claim = `${volume.namespace}/${volume.claim}`;
  return [
    {
      severity: 'error',
      code: 'class-driver-mismatch',
      subject,
      message: `${subject} is of driver ${driver}, but the volume of claim ${claim} is of ${volume.driver}`,
      hint,
    },
  ];
}

/** Safety rule 14. */
function checkPolicy(subject: string, { deletionPolicy }: SnapshotClass): Finding[] {
  if (deletionPolicy === 'Retain') return [ok(subject, 'keeps what its snapshots hold when their objects are deleted')];
  const message = `${subject} deletes what its snapshots hold together with them: a namespace deleted by mistake takes its backups along`;
  const hint = 'use a class with deletionPolicy Retain, as the SnapshotClass construct makes it';
  return [{ severity: 'warning', code: 'class-deletes', subject, message, hint }];
}

/** A group is selected by labels alone: they have to select the plan's claims, all of them, and no other. */
async function checkSelector(
  { client, namespace }: SnapshotContext,
  volumes: readonly Volume[],
): Promise<readonly Finding[]> {
  const labels = commonLabels(volumes);
  const subject = `the claims of the group in ${namespace}`;
  const wrong = (message: string): Finding[] => {
    const hint = 'give exactly the claims of the policy a label of their own, for example with kubectl label pvc';
    return [{ severity: 'error', code: 'volume-mismatch', subject, message, hint }];
  };
  const selector = Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
  if (selector === '')
    return wrong('the claims of the policy have no label in common by which a group could select them');
  const { items } = await client.list(CLAIMS, { namespace, labels });
  const meant = volumes.map(({ claim }) => claim);
  const others = items.map(({ metadata }) => metadata.name).filter((name) => !meant.includes(name));
  if (others.length > 0) return wrong(`the labels ${selector} would also select the claims ${others.join(', ')}`);
  return [ok(subject, `are selected by ${selector}`)];
}

async function readable<T>(read: () => Promise<T>): Promise<T | 'forbidden'> {
  try {
    return await read();
  } catch (thrown) {
    if (isForbidden(thrown)) return 'forbidden';
    throw thrown;
  }
}

function ok(subject: string, message: string): Finding {
  return { severity: 'ok', code: 'ok', subject, message };
}

function unknown(subject: string, message: string): Finding {
  const hint = 'the account has no rights beyond its namespace, and what it cannot read is not checked';
  return { severity: 'warning', code: 'permission-missing', subject, message, hint };
}
