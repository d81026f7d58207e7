import type { Construct } from 'constructs';

/** The type of the metadata entry that a warning leaves on its construct. */
const WARNING = 'stillpoint:warning';

/**
 * Warns at synth, and goes on. cdk8s has errors (validations) but no warnings: so it is an entry in the construct's
 * metadata for tools and tests, and a warning of the process for people, which Node prints to the standard error.
 *
 * @internal
 */
export function warn(construct: Construct, message: string): void {
  construct.node.addMetadata(WARNING, message);
  process.emitWarning(`"${construct.node.path}" ${message}`, 'StillpointWarning');
}
