/** What is held for a request, how its volumes are cut, and what speaks against it in itself. Pure. */
import type { PlanRequest } from '../../engine';
import { byRole, cutsTogether, requestProblem } from '../../plan-request';
import type { Finding } from '../../ports';
import { PREFERENCES, type Preference, type Wish } from './choose';

/** How far behind the primary a secondary may be where nothing is said. */
const DEFAULT_MAX_LAG_SECONDS = 60;

type Options = PlanRequest['options'];

/** The words of `engineOptions` that have few values; `maxLagSeconds` is a number. */
const WORDS = { member: PREFERENCES, lock: ['true', 'false'], approximate: ['true', 'false'] } as const;

/** Which member the user wants. */
export function wishOf(options: Options = {}): Wish {
  return {
    member: (options.member ?? 'secondary') as Preference,
    maxLagSeconds: Number(options.maxLagSeconds ?? DEFAULT_MAX_LAG_SECONDS),
  };
}

/** Whether writes are locked out while the volumes are cut: where nothing is said, they are, and the copy is exact. */
export function locks({ options }: Pick<PlanRequest, 'options'>): boolean {
  return options.lock !== 'false';
}

/** Whether the user is content with shards that are locked one after another. */
export function isApproximate(options: Options = {}): boolean {
  return options.approximate === 'true';
}

/** What is wrong with the options: they are looked at before a member is chosen by them. */
export function* optionProblems(options: Options): Generator<Finding> {
  for (const [name, value] of Object.entries(options)) {
    const words: readonly string[] | undefined = WORDS[name as keyof typeof WORDS];
    const isNumber = name === 'maxLagSeconds' && /^[0-9]{1,7}$/.test(value);
    if (isNumber || words?.includes(value) === true) continue;
    const known = words !== undefined || name === 'maxLagSeconds';
    yield requestProblem(
      'config-invalid',
      known ? `engine option ${name} is "${value}"` : `engine option ${name} is not known`,
      known
        ? `it may be ${words === undefined ? 'a number of seconds' : words.map((word) => `"${word}"`).join(' or ')}`
        : 'MongoDB knows member, lock, approximate, maxLagSeconds',
    );
  }
}

/** What is wrong with a request in itself, before any server is asked. */
export function requestProblems(request: PlanRequest): readonly Finding[] {
  return [...optionProblems(request.options), ...volumeProblems(request), ...layoutProblems(request)];
}

function* volumeProblems({ volumes }: PlanRequest): Generator<Finding> {
  const { data, log } = byRole(volumes);
  if (data.length !== 1) {
    yield requestProblem(
      'volume-mismatch',
      `the policy has ${data.length} volumes of role data (${data.join(', ')}), and a server has one dbPath`,
      'give one volume the role data, that of the journal the role log, the others the role tablespace',
    );
  }
  if (log.length > 1) {
    yield requestProblem(
      'volume-mismatch',
      `the policy has ${log.length} volumes of role log (${log.join(', ')}), and a server has one journal`,
      'give the role log to the volume that is mounted at the journal',
    );
  }
}

function* layoutProblems(request: PlanRequest): Generator<Finding> {
  const { layout, volumes, atomicStore, groupClass } = request;
  if (!atomicStore) {
    yield requestProblem(
      'driver-unsafe',
      'a running mongod needs snapshots of one instant, and a copy of a folder takes time: its files may change under a lock too',
      'take storage with snapshots',
    );
  }
  if (layout === 'backup-mode') {
    yield requestProblem('config-invalid', 'MongoDB has no layout backup-mode', 'take layout auto, atomic or group');
  }
  if (layout === 'group' && !groupClass) {
    yield requestProblem(
      'config-invalid',
      'layout group needs a class of group snapshots, and the policy names none',
      'set groupClassName, or take layout atomic',
    );
  }
  if (cutsTogether(request) || volumes.length === 1 || locks(request)) return;
  yield requestProblem(
    'volume-mismatch',
    `writes go on without a lock, and the policy has several volumes (${volumes.map(({ name }) => name).join(', ')}), which are not cut at one instant`,
    'leave the option lock out, or take a class of group snapshots',
  );
}
