/**
 * The budget of a freeze against the probes of the server's container. A probe that is held up with everybody else counts as
 * failed: what the kubelet does then ends the freeze, and more. Pure.
 */
import type { Plan } from './engine';
import { holdsWrites } from './operators';
import type { Finding, Probe } from './ports';

const CONSEQUENCES: Readonly<Record<Probe['kind'], string>> = {
  liveness: 'the server would be restarted',
  readiness: 'the server would be taken out of its Services, and an operator may fail over',
};

/** What a probe that opens a connection and says nothing shows does not change while writes are held. */
function mayBeHeldUp({ how }: Probe): boolean {
  return how !== 'tcpSocket';
}

/** Which probes may give up before a freeze of the whole budget has ended. */
export function probeFindings(
  probes: readonly Probe[],
  plan: Pick<Plan, 'freezes'>,
  budgetSeconds: number,
  place: string,
): readonly Finding[] {
  if (!holdsWrites(plan)) return [];
  return probes
    .filter((probe) => mayBeHeldUp(probe) && probe.seconds < budgetSeconds)
    .map(({ kind, how, container, seconds }) => ({
      severity: 'warning',
      code: 'probe-impatient',
      subject: `container ${container} of ${place}`,
      message: `the ${kind} probe (${how}) of container ${container} of ${place} gives up after ${seconds} s, and the budget is ${budgetSeconds} s: if the probe writes or logs in, ${CONSEQUENCES[kind]} in a freeze that long`,
      hint: `set the budget of the policy to ${Math.max(1, Math.floor(seconds))} s or less, or let the probe be more patient`,
    }));
}
