/** What of a dump is restored, and under which name: what the instruction and the record say together. Pure. */
import type { BackupRecord, DumpRestoreConfig } from '../../src/contract';
import { StillpointError } from '../errors';
import type { RestoreRequest } from '../tools/tool';

/** Throws config-invalid where the two do not fit. */
export function requestOf(
  { only, into }: Pick<DumpRestoreConfig['spec'], 'only' | 'into'>,
  { dump: dumped = { tool: '' } }: Pick<BackupRecord, 'dump'>,
): Pick<RestoreRequest, 'database' | 'outOf' | 'position'> {
  const position = dumped.position === undefined ? {} : { position: dumped.position };
  if (dumped.only !== undefined) {
    if (only !== undefined && only !== dumped.only) {
      throw new StillpointError('config-invalid', `the dump holds the database ${dumped.only}, and not ${only}`, {
        hint: 'leave onlyDatabase out, or name another backup',
      });
    }
    return { database: into ?? dumped.only, ...position };
  }
  const { some } = dumped;
  if (only !== undefined && some?.includes(only) === false) {
    throw new StillpointError('config-invalid', `the dump holds the databases ${some.join(', ')}, and not ${only}`, {
      hint: 'name one of them in onlyDatabase, or another backup',
    });
  }
  if (only !== undefined) return { database: into ?? only, outOf: only, ...position };
  if (into === undefined) return position;
  throw new StillpointError('config-invalid', `the dump holds all databases, and one name is given for them: ${into}`, {
    hint: 'name the one that is meant in onlyDatabase, or leave intoDatabase out',
  });
}
