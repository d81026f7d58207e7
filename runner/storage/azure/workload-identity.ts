/**
 * The identity of the workload: the token of the pod's service account against one of Azure's. Azure's webhook tells by
 * variables where it lies (https://azure.github.io/azure-workload-identity/docs/).
 */
import { readFile } from 'node:fs/promises';
import { StillpointError } from '../../errors';
import type { Environment } from '../retrying';

/** As the SDK asks for a token; it keeps it until shortly before its end. */
interface AccessToken {
  readonly token: string;
  readonly expiresOnTimestamp: number;
}

const VARIABLES = ['AZURE_CLIENT_ID', 'AZURE_TENANT_ID', 'AZURE_FEDERATED_TOKEN_FILE'] as const;

export class WorkloadCredential {
  readonly #environment: Environment;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  async getToken(scopes: string | string[]): Promise<AccessToken> {
    const [client = '', tenant = '', file = ''] = VARIABLES.map((name) => this.#variable(name));
    const authority = this.#environment.AZURE_AUTHORITY_HOST ?? 'https://login.microsoftonline.com/';
    const answer = await fetch(new URL(`${tenant}/oauth2/v2.0/token`, authority), {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        client_id: client,
        scope: [scopes].flat().join(' '),
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: await assertion(file),
      }),
    });
    if (!answer.ok) {
      await answer.body?.cancel();
      const code = answer.status >= 500 ? 'store-unreachable' : 'store-credentials-refused';
      throw new StillpointError(code, `Azure answered ${answer.status} to the identity ${client} of the workload`, {
        hint: 'look at the federated credential of the identity: its subject is the service account of the pod',
      });
    }
    const { access_token, expires_in } = (await answer.json()) as { access_token: string; expires_in: number };
    return { token: access_token, expiresOnTimestamp: Date.now() + expires_in * 1000 };
  }

  #variable(name: (typeof VARIABLES)[number]): string {
    const value = this.#environment[name];
    if (value !== undefined) return value;
    throw new StillpointError('credentials-unreadable', `the pod has no identity of Azure: ${name} is not set`, {
      hint: 'give credentials, or label the pod azure.workload.identity/use and annotate its service account',
    });
  }
}

async function assertion(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new StillpointError('credentials-unreadable', `the token of the workload in ${file} cannot be read`, {
      cause,
    });
  }
}
