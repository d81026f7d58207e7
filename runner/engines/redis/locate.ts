/** Where the server of a policy is: at its host, or wherever sentinels have it. */

import { configuredEndpoint, type Endpoint } from '../../endpoint';
import type { Target } from '../../engine';
import { StillpointError } from '../../errors';
import { Connection } from './connection';
import { readInfo } from './facts';
import { roleWanted } from './layout';
import { askSentinels } from './sentinel';

/** A connection to the server that a policy means now. With sentinels, to the one that they named and to no other. */
export async function connectToServer(target: Target, signal: AbortSignal, before?: Endpoint): Promise<Connection> {
  const { sentinel } = target.connection;
  if (sentinel === undefined) return await Connection.open(target, configuredEndpoint(target), signal);
  const { host, port, runId } = await askSentinels(
    target,
    {
      masterName: sentinel.masterName,
      role: roleWanted(target.options ?? {}),
      ...(before === undefined ? {} : { before: `${before.host}:${before.port}` }),
    },
    signal,
  );
  const connection = await Connection.open(target, { host, port, name: target.connection.host }, signal);
  try {
    const { run_id: running } = await readInfo(connection, signal);
    if (runId === '' || running === runId) return connection;
    throw new StillpointError(
      'member-unsuitable',
      `sentinels have ${host}:${port} as run ${runId}, and there ${running ?? 'unknown'} answers`,
      { hint: 'it was restarted or replaced just now: they will have noticed within ten seconds' },
    );
  } catch (error) {
    await connection.close();
    throw error;
  }
}
