/** What a pod asks of its node, in the words of Kubernetes. */
import { Size } from 'cdk8s';
import { type ContainerResources, Cpu, k8s } from 'cdk8s-plus-28';

/**
 * What a runner takes. A hundred that are due in the same minute start as many at once as the nodes have room for, so that none
 * is slow while it holds a database.
 *
 * @internal
 */
export const DEFAULT_RESOURCES: ContainerResources = {
  cpu: { request: Cpu.millis(100) },
  memory: { request: Size.mebibytes(64), limit: Size.mebibytes(256) },
};

/**
 * Of one with the engine's tool in the same container.
 *
 * @internal
 */
export const TOOL_RESOURCES: ContainerResources = {
  cpu: { request: Cpu.millis(100) },
  memory: { request: Size.mebibytes(128), limit: Size.mebibytes(512) },
};

/**
 * Resources as a pod has them.
 *
 * @internal
 */
export function resourceRequirements({ cpu, memory, ephemeralStorage }: ContainerResources): k8s.ResourceRequirements {
  const of = (which: 'request' | 'limit'): { [key: string]: k8s.Quantity } => ({
    ...given('cpu', quantity(cpu?.[which]?.amount)),
    ...given('memory', quantity(memory?.[which] && sizeQuantity(memory[which]))),
    ...given('ephemeral-storage', quantity(ephemeralStorage?.[which] && sizeQuantity(ephemeralStorage[which]))),
  });
  return { requests: of('request'), limits: of('limit') };
}

/**
 * A size as a Kubernetes quantity.
 *
 * @internal
 */
export function sizeQuantity(size: Size): string {
  const kibibytes = size.toKibibytes();
  const units = ['Ki', 'Mi', 'Gi', 'Ti'];
  let amount = kibibytes;
  let unit = 0;
  while (amount % 1024 === 0 && unit < units.length - 1) {
    amount /= 1024;
    unit += 1;
  }
  return `${amount}${units[unit]}`;
}

function quantity(text: string | undefined): k8s.Quantity | undefined {
  return text === undefined ? undefined : k8s.Quantity.fromString(text);
}

/**
 * A property, or nothing where it has no value: `undefined` is no value under exactOptionalPropertyTypes.
 *
 * @internal
 */
export function given<K extends string, V>(name: K, value: V | undefined): { [name in K]?: V } {
  return value === undefined ? {} : ({ [name]: value } as { [name in K]: V });
}
