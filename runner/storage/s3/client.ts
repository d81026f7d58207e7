/** The connection to S3, and to what speaks it. */
import { readFile } from 'node:fs/promises';
import { Agent } from 'node:https';
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import type { StoreConfig } from '../../../src/contract';
import type { Clock } from '../../ports';
import { needKey, readKey, unreadable } from '../credentials';

export type S3Settings = NonNullable<StoreConfig['s3']>;

/** So often the mounted Secret is read again. */
const REREAD_MS = 300_000;
const CONNECT_MS = 10_000;
/** Also how long a reader may leave an answer alone: the connection then ends, and is taken up again. */
const IDLE_MS = 120_000;
const SOCKETS = 16;

/** A client that tries nothing again by itself: Retrying does, with an end that is ours. */
export async function connect(settings: S3Settings, folder: string | undefined, clock: Clock): Promise<S3Client> {
  const { endpoint, region, pathStyle } = settings;
  const ca = await authorities(settings.caFile, folder);
  const credentials = folder === undefined ? undefined : mounted(folder, clock);
  // A Secret that is not there is told at once, and by our own error.
  await credentials?.();
  return new S3Client({
    ...(endpoint === undefined ? {} : { endpoint, region: region ?? 'us-east-1' }),
    ...(region === undefined ? {} : { region }),
    ...(pathStyle === undefined ? {} : { forcePathStyle: pathStyle }),
    ...(credentials === undefined ? {} : { credentials }),
    maxAttempts: 1,
    // Uploads carry checksums that are ours; what is read is compared with the record's.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: CONNECT_MS,
      socketTimeout: IDLE_MS,
      httpsAgent: new Agent({ keepAlive: true, maxSockets: SOCKETS, ...(ca === undefined ? {} : { ca }) }),
      httpAgent: { keepAlive: true, maxSockets: SOCKETS },
    },
  });
}

function mounted(folder: string, clock: Clock): Extract<NonNullable<S3ClientConfig['credentials']>, () => unknown> {
  return async () => {
    const sessionToken = await readKey(folder, 'AWS_SESSION_TOKEN');
    return {
      accessKeyId: await needKey(folder, 'AWS_ACCESS_KEY_ID'),
      secretAccessKey: await needKey(folder, 'AWS_SECRET_ACCESS_KEY'),
      ...(sessionToken === undefined ? {} : { sessionToken }),
      expiration: new Date(clock.now().getTime() + REREAD_MS * 2),
    };
  };
}

/** Of the policy, or of KubeDB's Secret. */
async function authorities(file: string | undefined, folder: string | undefined): Promise<string | undefined> {
  if (file === undefined) return folder === undefined ? undefined : await readKey(folder, 'CA_CERT_DATA');
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw unreadable('', file, `cannot be read (${(cause as NodeJS.ErrnoException).code})`, cause);
  }
}
