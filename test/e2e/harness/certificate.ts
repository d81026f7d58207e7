/** Certificates of the tests' own servers. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A certificate that is its own authority. */
export interface TestCertificate {
  readonly key: string;
  readonly certificate: string;
}

/** Makes one for names as openssl has them: `DNS:orders-db`, `IP:127.0.0.1`. */
export async function selfSigned(...names: readonly string[]): Promise<TestCertificate> {
  const folder = await mkdtemp(join(tmpdir(), 'stillpoint-certificate-'));
  const [key, certificate] = [join(folder, 'key'), join(folder, 'certificate')];
  try {
    const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=stillpoint.test'];
    const extensions = ['-addext', `subjectAltName=${names.join(',')}`];
    await run('openssl', [...request, ...extensions, '-keyout', key, '-out', certificate]);
    return { key: await readFile(key, 'utf8'), certificate: await readFile(certificate, 'utf8') };
  } finally {
    await rm(folder, { recursive: true });
  }
}
