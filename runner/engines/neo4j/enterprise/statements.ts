/** Statements for the database `system`, and what it answers to the questions that are asked. Pure. */
import type { Row } from '../connection';
import type { KnownAlias, KnownDatabase } from './selection';

/** From 5.6 on; an earlier one does not know it. */
export const SHOW_PROVIDERS = "SHOW SETTINGS 'dbms.databases.seed_from_uri_providers' YIELD value";

/** What fetches a seed by HTTP. [doc: Operations Manual, Create a database from a URI] */
export const URL_PROVIDER = 'URLConnectionSeedProvider';

/** It is not waited for: a large seed takes longer than a statement should. `existingData` is needed by Cypher 5, and passed over by later ones. */
export function seedStatement(database: string): string {
  return `CREATE DATABASE ${quoted(database)} OPTIONS {existingData: 'use', seedURI: $uri} NOWAIT`;
}

/** The server keeps a dump of what it drops, in its own folder for dumps. */
export function dropStatement(database: string): string {
  return `DROP DATABASE ${quoted(database)} DUMP DATA WAIT`;
}

/** Of a database that this run has made, and that is not good. */
export function removeStatement(database: string): string {
  return `DROP DATABASE ${quoted(database)} IF EXISTS DESTROY DATA WAIT`;
}

export function quoted(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}

export function databaseOf({ name, type, currentStatus, statusMessage, lastCommittedTxn }: Row): KnownDatabase {
  return {
    name: String(name),
    currentStatus: String(currentStatus),
    ...(typeof type === 'string' ? { type } : {}),
    ...(typeof statusMessage === 'string' ? { statusMessage } : {}),
    ...(typeof lastCommittedTxn === 'number' ? { lastCommittedTxn } : {}),
  };
}

/** What points to another DBMS names no database of this one. */
export function aliasOf({ name, database, location, properties }: Row): KnownAlias {
  return {
    name: String(name),
    database: String(database ?? ''),
    location: String(location),
    ...(typeof properties === 'object' && properties !== null
      ? { properties: properties as Readonly<Record<string, unknown>> }
      : {}),
  };
}
