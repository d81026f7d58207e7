/** What mongodump would take for all of the data, and is not: one server of a sharded cluster, or all of them at no one moment. */
import { configuredEndpoint } from '../../endpoint';
import type { EngineDump } from '../../tools/tool';
import { Connection } from './connection';
import { clusterRoleOf } from './facts';
import { isRouter } from './member';

/** The tool's `--oplog` is refused there. [doc: mongodump, --oplog] */
const ROUTER = 'the server is a mongos: its shards would be read one after another, while they are written to';

export const partOf: NonNullable<EngineDump['partOf']> = async (target, signal) => {
  const on = await Connection.open(target, configuredEndpoint(target), signal);
  try {
    const hello = await on.command('asking who the server is', { hello: 1 }, signal);
    if (isRouter(hello)) return ROUTER;
    const status = await on.command('reading the status of the server', { serverStatus: 1 }, signal);
    const role = clusterRoleOf(hello, status);
    if (role === undefined) return undefined;
    return `the server is a ${role} of a sharded cluster, and holds only a part of its databases`;
  } finally {
    await on.close();
  }
};
