/** The ledger of a database that understands plain SQL. */
import type { LedgerClient } from './writer';

/** A connection to such a database: that of PostgreSQL's driver is one as it is. */
export interface SqlClient {
  query(sql: string): Promise<{ readonly rows: readonly Readonly<Record<string, unknown>>[] }>;
  end(): Promise<unknown>;
}

const TABLE = 'ledger';

/** The ledger on a connection. */
export function sqlLedger(client: SqlClient): LedgerClient {
  return {
    prepare: async () => {
      await client.query(`CREATE TABLE IF NOT EXISTS ${TABLE} (number bigint PRIMARY KEY, note text)`);
    },
    forget: async () => {
      await client.query(`DROP TABLE IF EXISTS ${TABLE}`);
    },
    add: async (number) => {
      await client.query(`INSERT INTO ${TABLE} VALUES (${number}, repeat('x', 200))`);
    },
    numbers: async () => {
      const { rows } = await client.query(`SELECT number FROM ${TABLE} ORDER BY number`);
      return rows.map(({ number }) => Number(number));
    },
    end: () => client.end(),
  };
}
