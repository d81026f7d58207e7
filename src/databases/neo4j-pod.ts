import { Size } from 'cdk8s';
import { type ContainerResources, Cpu } from 'cdk8s-plus-28';

/**
 * A Java machine beside the runner, and of it a quarter as its heap.
 *
 * @internal
 */
export const JAVA_RESOURCES: ContainerResources = {
  cpu: { request: Cpu.millis(100) },
  memory: { request: Size.mebibytes(512), limit: Size.gibibytes(1) },
};
