/** A store of a test's own that speaks S3, with its bucket, and the Secrets that lead to it. */
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  S3Client,
} from '@aws-sdk/client-s3';
import { type Anything, apply } from './cluster';
import { type ObjectServer, startObjectServer } from './object-servers';

const LOGIN = { AWS_ACCESS_KEY_ID: 'stillpoint', AWS_SECRET_ACCESS_KEY: 'the-right-secret' };
const BUCKET = 'backups';

/** A running store. */
export interface TestS3 extends Pick<ObjectServer, 'stop'> {
  readonly bucket: string;
  /** The keys of a Secret that leads there. */
  readonly login: Readonly<Record<string, string>>;
  /** As pods reach it. */
  readonly endpoint: string;
  /** Makes a Secret with its credentials, or with others. */
  secret(name: string, namespace: string, secretKey?: string): Promise<void>;
  /** The keys of all objects, in their order. */
  keys(): Promise<readonly string[]>;
  /** How many uploads have begun and not ended, of all keys or of those with this in them. */
  uploads(of?: string): Promise<number>;
  /** The bytes of an object. */
  bytes(key: string): Promise<Buffer>;
}

/** Starts a store, and makes a bucket in it. */
export async function startS3(namespace: string): Promise<TestS3> {
  const server = await startObjectServer(namespace, {
    name: 'versitygw',
    image: 'versitygw:1',
    port: 7070,
    data: '/data',
    env: { ROOT_ACCESS_KEY: LOGIN.AWS_ACCESS_KEY_ID, ROOT_SECRET_KEY: LOGIN.AWS_SECRET_ACCESS_KEY },
  });
  const client = new S3Client({
    endpoint: server.url.href,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: LOGIN.AWS_ACCESS_KEY_ID, secretAccessKey: LOGIN.AWS_SECRET_ACCESS_KEY },
  });
  await client.send(new CreateBucketCommand({ Bucket: BUCKET }));
  return {
    stop: server.stop,
    bucket: BUCKET,
    login: LOGIN,
    endpoint: server.url.origin,
    secret: async (name, of, secretKey = LOGIN.AWS_SECRET_ACCESS_KEY) => {
      const stringData = { ...LOGIN, AWS_SECRET_ACCESS_KEY: secretKey };
      await apply([{ apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: of }, stringData } as Anything]);
    },
    keys: async () => {
      const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: BUCKET }));
      return Contents.map(({ Key = '' }) => Key).sort();
    },
    uploads: async (of = '') => {
      const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: BUCKET }));
      return Uploads.filter(({ Key = '' }) => Key.includes(of)).length;
    },
    bytes: async (Key) => {
      const { Body } = await client.send(new GetObjectCommand({ Bucket: BUCKET, Key }));
      return Buffer.from((await Body?.transformToByteArray()) ?? []);
    },
  };
}
