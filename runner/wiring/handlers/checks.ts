/** `doctor` and `heal`. */
import type { CheckHandlers } from '../../cli/checks';
import { doctor, formatFindings, packFindings, shorterFindings } from '../../commands/doctor';
import { heal, notHealed } from '../../commands/heal';
import type { Output } from '../../output/records';
import type { Finding } from '../../ports';
import { failOnErrors } from '../../preflight';
import { reporting } from '../../restore/outcome';
import type { World } from '../world';
import { backupContext, required } from './context';
import type { Terminal } from './terminal';

export function checkHandlers(world: World, { print }: Terminal): CheckHandlers {
  /** Prints findings, packs them for whoever watches the pod, and fails by the first error among them. */
  const reported = async (
    findings: readonly Finding[],
    result: string | undefined,
    output: Output,
    said?: (errors: number) => string,
  ): Promise<string> => {
    await reporting(
      result,
      () => [packFindings(shorterFindings(findings))],
      async () => packFindings(findings),
    );
    print(formatFindings(findings, output));
    failOnErrors(findings, said);
    return '';
  };
  return {
    async doctor(policy, { config: file, output, result, ...options }) {
      if (file === undefined) {
        const { doctorByJob } = await import('../jobs');
        await doctorByJob(required(policy, 'doctor'), { ...options, output }, world, print);
        return '';
      }
      return await reported(await doctor(await backupContext(file, options, world)), result, output);
    },

    async heal(policy, { config: file, output, result, ...options }) {
      if (file === undefined) {
        const { healByJob } = await import('../jobs');
        await healByJob(required(policy, 'heal'), { ...options, output }, world, print);
        return '';
      }
      const context = await backupContext(file, options, world);
      const findings = await heal({ ...context, holder: context.run.owner.jobUid });
      return await reported(findings, result, output, notHealed);
    },
  };
}
