/** From the checks to a server that is this backup's alone: nothing is held yet, and nobody else will. */
import type { BackupRecord } from '../../src/contract';
import type { Plan } from '../engine';
import { asStillpointError } from '../errors';
import { refuseOnErrors } from '../findings';
import { serverOf } from '../member';
import type { StoredRecord } from '../ports';
import type { Preflight } from '../preflight';
import type { BackupContext } from './backup-context';
import { freezeLeft, planMissing } from './backup-errors';
import { claimServer, freeServer, type Hold, holdsOthersUp, isOfAHeldServer } from './one-server';
import { isNotUndone, undoHeldOfOther } from './undo-held';

/** The steps of a backup that may have to be done more than once. */
export interface ClaimSteps {
  readonly check: () => Promise<Preflight>;
  /** Writes down what is going to be held, and made. */
  readonly announce: (found: Preflight, plan: Plan) => Promise<void>;
  readonly withdraw: () => Promise<void>;
}

/** What was checked, and announced. */
export interface Claimed {
  readonly found: Preflight;
  readonly plan: Plan;
}

/** Checks and announces until no other policy holds a server of this one: after a wait for it, the server is not what was checked. */
export async function claim(context: BackupContext, record: BackupRecord, asked: ClaimSteps): Promise<Claimed> {
  let announced = false;
  const steps: ClaimSteps = {
    check: asked.check,
    announce: async (found, plan) => {
      announced = true;
      await asked.announce(found, plan);
    },
    withdraw: async () => {
      if (!announced) return;
      await asked.withdraw();
      announced = false;
    },
  };
  try {
    for (;;) {
      const found = await steps.check();
      let claimed: Claimed | undefined;
      try {
        claimed = await claimOnce(context, record, found, steps);
        if (claimed !== undefined) return claimed;
      } finally {
        if (claimed === undefined) await found[Symbol.asyncDispose]();
      }
    }
  } catch (thrown) {
    await withdrawn(context, steps);
    throw thrown;
  }
}

/** Nothing was held: others do not wait for a backup that has failed, nor undo anything of it. */
async function withdrawn({ log }: BackupContext, { withdraw }: ClaimSteps): Promise<void> {
  await withdraw().catch((thrown: unknown) => {
    const { code, message } = asStillpointError(thrown);
    log.warn({ code }, `what was announced could not be taken back: ${message}`);
  });
}

/** Undefined when others had to be waited for. Throws what the checks refuse. */
async function claimOnce(
  context: BackupContext,
  record: BackupRecord,
  found: Preflight,
  { announce, withdraw }: ClaimSteps,
): Promise<Claimed | undefined> {
  const hold: Hold = { record, servers: found.members.map(serverOf) };
  const undo = async (left: StoredRecord): Promise<void> => {
    const result = await undoHeldOfOther(context, found.members, left);
    if (isNotUndone(result)) throw freezeLeft(result);
  };
  if (found.findings.some(isOfAHeldServer)) {
    // Whoever waits here with its hold announced, and another one that waits for it, would wait for each other.
    await withdraw();
    if (await freeServer(context, hold, { undo })) return undefined;
  }
  refuseOnErrors(found.findings);
  const plan = found.plan ?? planMissing();
  if (!holdsOthersUp(plan)) await announce(found, plan);
  else if (!(await claimServer(context, hold, { announce: () => announce(found, plan), withdraw, undo })))
    return undefined;
  return { found, plan };
}
