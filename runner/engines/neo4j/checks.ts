/** What speaks against a backup before anything is touched, and what has to be known of it. Pure. */
import type { PlanRequest } from '../../engine';
import type { Finding } from '../../ports';
import type { ServerFacts } from './facts';
import { requestProblems } from './layout';

/** The oldest and the newest that the statements here were written for. */
const OLDEST = 5;

export function checkSession(server: ServerFacts, request: PlanRequest): readonly Finding[] {
  return [...requestProblems(request), ...versionFindings(server), ...databaseFindings(server, request)];
}

function* versionFindings({ version, edition }: ServerFacts): Generator<Finding> {
  const major = Number.parseInt(version, 10);
  if (!(major >= OLDEST)) {
    yield {
      severity: 'error',
      code: 'server-version-unsupported',
      subject: 'server',
      message: `the server is Neo4j ${version}, and the oldest that is known is ${OLDEST}`,
    };
    return;
  }
  yield { severity: 'ok', code: 'ok', subject: 'server', message: `Neo4j ${version}, ${edition} edition` };
}

function* databaseFindings({ databases }: ServerFacts, { offline }: PlanRequest): Generator<Finding> {
  const spread = databases.filter(({ copies }) => copies > 1);
  if (spread.length > 0) {
    yield {
      severity: 'error',
      code: 'server-unsafe',
      subject: 'server',
      message: `the server is a member of a cluster: ${spread.map(({ name }) => name).join(', ')} has copies elsewhere, and its volumes alone are not all of it`,
    };
  }
  const ailing = databases.filter(({ status }) => status !== 'online');
  if (ailing.length > 0) {
    const list = ailing.map(({ name, status }) => `${name} (${status})`).join(', ');
    yield {
      severity: 'warning',
      code: 'server-unsafe',
      subject: 'server',
      message: `not every database of the server is online: ${list}`,
    };
  }
  if (offline === true) return;
  yield { severity: 'ok', code: 'ok', subject: 'server', message: CRASH };
}

/** Said in the record too. */
export const CRASH =
  'crash-consistent: the server runs while it is cut, and the copy is what a crash would have left, which its recovery completes';
