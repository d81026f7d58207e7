/** A Redis in a Deployment, on a claim that was made for it by hand, and that one pod alone may use at a time. */
import { type Anything, apply, KINDS, list } from './cluster';
import { addressOf, isReady } from './pods';
import { connectTo, type RedisClient } from './redis';
import { DEFAULT_PASSWORD, type RedisOptions, redisObjects, redisPod, withDefaults } from './redis-objects';
import { eventually } from './wait';

/** One that is at work. */
export interface DeployedRedis {
  readonly name: string;
  readonly namespace: string;
  readonly credentials: string;
  readonly claim: string;
  /** A connection as the administrator, to whichever pod there is. */
  connect(): Promise<RedisClient>;
}

/** Starts one with an append-only file, and waits until it accepts connections. */
export async function deployRedis(
  wanted: Pick<RedisOptions, 'namespace' | 'image'> & { readonly name: string },
): Promise<DeployedRedis> {
  const { namespace, name } = wanted;
  const claimName = `${name}-data`;
  const options = withDefaults({ ...wanted, appendOnly: true });
  const others = redisObjects(options).filter(({ kind }) => kind !== 'StatefulSet');
  const volumes = [{ name: 'data', persistentVolumeClaim: { claimName } }];
  await apply([
    ...others,
    {
      ...KINDS.claim,
      metadata: { name: claimName, namespace, labels: { app: name, team: 'shop' } },
      spec: {
        accessModes: ['ReadWriteOncePod'],
        // As in most clouds: the volume is made when a pod first asks for it.
        storageClassName: 'disk-wait',
        resources: { requests: { storage: '1Gi' } },
      },
    } as Anything,
    {
      ...KINDS.deployment,
      metadata: { name, namespace, labels: { app: name } },
      spec: {
        replicas: 1,
        strategy: { type: 'Recreate' },
        selector: { matchLabels: { app: name } },
        template: { metadata: { labels: { app: name } }, spec: { ...redisPod(options), volumes } },
      },
    } as Anything,
  ]);
  const connect = async (): Promise<RedisClient> =>
    await connectTo(await addressOf(await readyPod(name, namespace), namespace), DEFAULT_PASSWORD);
  await (await connect()).end();
  return { name, namespace, credentials: `${name}-backup`, claim: claimName, connect };
}

async function readyPod(name: string, namespace: string): Promise<string> {
  return await eventually(
    `${name} is ready`,
    async () => {
      const pods = await list(KINDS.pod, namespace, `app=${name}`);
      const names = pods.flatMap(({ metadata }) =>
        metadata?.deletionTimestamp === undefined ? [metadata?.name ?? ''] : [],
      );
      for (const each of names) if (await isReady(each, namespace)) return each;
      return undefined;
    },
    { seconds: 120 },
  );
}
