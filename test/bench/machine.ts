/** What the machine was at while something was measured on it: without that, a number says little. */
import { readFileSync } from 'node:fs';
import { availableParallelism, loadavg, totalmem } from 'node:os';

/** The processors' time so far, in clock ticks, and the instant. */
export interface MachineTime {
  readonly at: string;
  readonly busy: number;
  readonly stolen: number;
  readonly all: number;
  readonly load: number;
}

/** How noisy a machine was between two looks. */
export interface Noise {
  readonly from: string;
  readonly to: string;
  readonly node: string;
  readonly cores: number;
  readonly memoryGiB: number;
  /** Parts of the processors' time: at work, whoever for; taken by other machines of the host. */
  readonly busy: number;
  readonly stolen: number;
  readonly loadBefore: number;
  readonly loadAfter: number;
}

/** Looks at the machine. */
export function machineNow(): MachineTime {
  return {
    at: new Date().toISOString(),
    load: loadavg()[0] ?? 0,
    ...processorTime(readFileSync('/proc/stat', 'utf8')),
  };
}

/** Reads the first line of /proc/stat (proc(5)). */
export function processorTime(text: string): Pick<MachineTime, 'busy' | 'stolen' | 'all'> {
  const [user = 0, nice = 0, system = 0, idle = 0, wait = 0, irq = 0, softIrq = 0, stolen = 0] = (
    /^cpu +(.*)$/m.exec(text)?.[1] ?? ''
  )
    .split(' ')
    .map(Number);
  const busy = user + nice + system + irq + softIrq;
  return { busy, stolen, all: busy + idle + wait + stolen };
}

/** What was between two looks. */
export function noiseBetween(before: MachineTime, after: MachineTime): Noise {
  const all = Math.max(1, after.all - before.all);
  const part = (ticks: number): number => Math.round((ticks / all) * 100) / 100;
  return {
    from: before.at,
    to: after.at,
    node: process.version,
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    busy: part(after.busy - before.busy),
    stolen: part(after.stolen - before.stolen),
    loadBefore: before.load,
    loadAfter: after.load,
  };
}
