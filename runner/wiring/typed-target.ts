/** A server as a person has typed it, with its login in files. */
import type { TlsMode } from '../../src/contract';
import { readSecret } from '../config';
import type { Target } from '../engine';
import { typedFile } from './typed-files';

interface TypedServer {
  readonly host: string;
  readonly port?: number | undefined;
  readonly user: string;
  readonly passwordFile?: string | undefined;
  readonly tls?: TlsMode | undefined;
  readonly caFile?: string | undefined;
}

/** Reads what was typed. With who has signed its certificate, that is verified unless it was said otherwise. */
export async function typedTarget(
  { host, port, user, passwordFile, tls: mode, caFile }: TypedServer,
  defaultPort: number,
): Promise<Target> {
  const password = passwordFile === undefined ? undefined : await typedFile(() => readSecret(passwordFile, 'password'));
  const ca = caFile === undefined ? undefined : await typedFile(() => readSecret(caFile, 'CA certificate'));
  return {
    connection: { host, port: port ?? defaultPort, usernameFile: '' },
    username: user,
    password,
    tls: mode === undefined && ca === undefined ? undefined : { mode: mode ?? 'verify-full', ca },
  };
}
