/** `doctor` and `heal`. */

import {
  type CopyConfig,
  type DumpConfig,
  isCopy,
  isDump,
  isSnapshot,
  JOB_INDEX,
  JOB_INDEX_VARIABLE,
} from '../../../src/contract';
import type { CheckHandlers } from '../../cli/checks';
import { doctor } from '../../commands/doctor';
import { heal, notHealed } from '../../commands/heal';
import { rehearsed } from '../../commands/rehearse';
import { readConfig } from '../../config';
import { impatient } from '../../dump/store-look';
import { StillpointError } from '../../errors';
import { refuseOnErrors } from '../../findings';
import { formatFindings, type PolicyFinding, packFindings, shorterFindings, worstFirst } from '../../output/findings';
import type { Output } from '../../output/records';
import { reporting } from '../../restore/outcome';
import { theNamespace } from '../namespace';
import type { World } from '../world';
import { backupContext, required } from './context';
import type { Terminal } from './terminal';

/** A dump leaves nothing in force. */
const NOTHING_HELD: PolicyFinding = { severity: 'ok', code: 'ok', subject: 'dump', message: 'nothing is held' };

export function checkHandlers(world: World, { print, confirm, colours }: Terminal): CheckHandlers {
  /** Prints findings, the worst first, and fails by the first error among them. */
  const told = (findings: readonly PolicyFinding[], output: Output, said = checksFailed): string => {
    print(formatFindings(findings, output, { colours }));
    refuseOnErrors(worstFirst(findings), said);
    return '';
  };
  /** As {@link told}, with the findings packed for whoever watches the pod. */
  const reported = async (
    findings: readonly PolicyFinding[],
    result: string | undefined,
    output: Output,
    said = checksFailed,
  ): Promise<string> => {
    await reporting(
      result,
      () => [packFindings(shorterFindings(findings))],
      async () => packFindings(findings),
    );
    return told(findings, output, said);
  };
  /** Whoever writes to the database is held up for a moment: that is said before. */
  const mayRehearse = async (whose: string, yes: boolean | undefined): Promise<void> => {
    const question = `freeze ${whose} for a moment, without a snapshot? Whoever writes there waits as under a backup.`;
    if (yes === true || (await confirm(question))) return;
    throw new StillpointError('usage-invalid', 'the freeze was not rehearsed: nobody said yes', {
      hint: 'answer y, or give --yes',
    });
  };
  return {
    async doctor(policy, { config: file, stores, output, result, rehearse: rehearsal = false, yes, ...options }) {
      if (stores !== undefined) {
        const { storesFindings } = await import('../doctor-stores');
        return await reported(await storesFindings(stores, options, world), result, output);
      }
      if (file === undefined) {
        const whose =
          policy === undefined ? 'the databases of all policies that are meant' : `the database of ${policy}`;
        if (rehearsal) await mayRehearse(whose, yes);
        const { connect } = await import('../kubernetes');
        const { doctorByJobs } = await import('../doctor');
        return told(
          await doctorByJobs(await connect(options, world), { ...options, policy, rehearse: rehearsal }, world),
          output,
        );
      }
      const config = await readConfig(file);
      if (isDump(config)) {
        const { doctorDump } = await import('../../commands/doctor-dump');
        const { dumpContext } = await import('../dump');
        return await reported(await doctorDump(await dumpContext(forALook(config), options, world)), result, output);
      }
      if (isCopy(config)) {
        const { doctorCopy } = await import('../../commands/doctor-copy');
        const { copyContext } = await import('../copy');
        return await reported(await doctorCopy(await copyContext(forALook(config), options, world)), result, output);
      }
      if (rehearsal) await mayRehearse('its database', yes);
      if (rehearsal && world.env[JOB_INDEX_VARIABLE] === `${JOB_INDEX.guard}`) {
        const { runGuard } = await import('../guard');
        await runGuard(config, options, world);
        return '';
      }
      const context = await backupContext(config, options, world);
      const findings = await doctor(context);
      return await reported(rehearsal ? await rehearsed(findings, context) : findings, result, output);
    },

    async heal(policy, { config: file, output, result, timeout: timeoutMs, ...options }) {
      if (file === undefined) {
        const { connect } = await import('../kubernetes');
        const { findingsByJob } = await import('../jobs');
        const client = await connect(options, world);
        const request = {
          policy: required(policy, 'heal'),
          namespace: theNamespace(options, client),
          command: 'heal',
        } as const;
        return told(await findingsByJob(client, { ...request, timeoutMs }, world), output, notHealed);
      }
      const config = await readConfig(file);
      if (!isSnapshot(config)) return await reported([NOTHING_HELD], result, output, notHealed);
      const context = await backupContext(config, options, world);
      const findings = await heal({ ...context, holder: context.run.owner.jobUid });
      return await reported(findings, result, output, notHealed);
    },
  };
}

/** A store that does not answer is given up sooner than by a backup. */
function forALook<C extends DumpConfig | CopyConfig>(config: C): C {
  return { ...config, spec: { ...config.spec, storage: impatient(config.spec.storage) } };
}

function checksFailed(errors: number): string {
  return errors === 1 ? '1 check failed' : `${errors} checks failed`;
}
