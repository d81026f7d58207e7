/** The ledger of a Redis or Valkey: a key for each row, so that the number of keys is that of the rows. */
import type { LedgerClient } from './writer';

/** A connection that commands are sent on. */
export interface CommandClient {
  send(...args: readonly string[]): Promise<unknown>;
  end(): Promise<unknown>;
}

const PREFIX = 'ledger:';

/** The ledger on a connection to a server that has nothing else. */
export function redisLedger(client: CommandClient): LedgerClient {
  return {
    prepare: async () => undefined,
    forget: async () => {
      await client.send('FLUSHALL');
    },
    add: async (number) => {
      await client.send('SET', `${PREFIX}${number}`, 'x'.repeat(200));
    },
    numbers: async () => {
      const keys = (await client.send('KEYS', `${PREFIX}*`)) as readonly string[];
      return keys.map((key) => Number(key.slice(PREFIX.length))).sort((a, b) => a - b);
    },
    end: () => client.end(),
  };
}
