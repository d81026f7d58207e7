/** Who asks Google: a service account by its key, or whoever the pod is. */
import { type AuthClient, GoogleAuth, JWT } from 'google-auth-library';
import { StillpointError } from '../../errors';
import { readKey, unreadable } from '../credentials';
import { type Asked, failure, unanswered } from '../failures';

const SCOPE = 'https://www.googleapis.com/auth/devstorage.read_write';
const KEY = 'GOOGLE_SERVICE_ACCOUNT_JSON_KEY';

/** The header that says who asks; kept fresh by Google's own library. */
export class GoogleLogin {
  readonly #folder: string | undefined;
  #client: Promise<AuthClient> | undefined;

  constructor(folder: string | undefined) {
    this.#folder = folder;
  }

  async header(asked: Asked): Promise<string> {
    try {
      this.#client ??= this.#make();
      const headers = await (await this.#client).getRequestHeaders();
      return headers.get('authorization') ?? '';
    } catch (error) {
      this.#client = undefined;
      if (error instanceof StillpointError) throw error;
      // The library's messages may hold what it was given.
      const none = error instanceof Error && /Could not load the default credentials/.test(error.message);
      if (none)
        throw failure('credentials-unreadable', asked, `the pod has no credentials to ${asked.what} ${asked.store}`);
      throw (
        unanswered(asked, error) ??
        failure('store-credentials-refused', asked, `Google gives no token to ${asked.what} ${asked.store}`)
      );
    }
  }

  async #make(): Promise<AuthClient> {
    if (this.#folder === undefined) return await new GoogleAuth({ scopes: [SCOPE] }).getClient();
    const text = await readKey(this.#folder, KEY);
    if (text === undefined) throw unreadable(this.#folder, KEY, 'is missing, or empty');
    const { client_email: email, private_key: key, private_key_id: keyId } = parsed(this.#folder, text);
    if (email === undefined || key === undefined) throw unreadable(this.#folder, KEY, 'is no key of a service account');
    const client = new JWT({ email, key, scopes: [SCOPE], ...(keyId === undefined ? {} : { keyId }) });
    // Signed here, and asked of nobody: one service less that has to answer.
    client.useJWTAccessWithScope = true;
    return client;
  }
}

/** What Google writes of a service account. */
interface AccountKey {
  readonly client_email?: string;
  readonly private_key?: string;
  readonly private_key_id?: string;
}

function parsed(folder: string, text: string): AccountKey {
  try {
    return JSON.parse(text) as AccountKey;
  } catch {
    // Its cause would quote the key.
    throw unreadable(folder, KEY, 'is no JSON');
  }
}
