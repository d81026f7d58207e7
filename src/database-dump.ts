import type { Construct } from 'constructs';
import { checkDumpKinds, checkEnum } from './check-kinds';
import { checkConnection } from './checks';
import { connectionOf, connectionVolumes } from './connection';
import type { PolicyConfig } from './contract';
import { BackupPolicy } from './database-backup';
import { type DumpDefinition, dumpConfigOf } from './dump-config';
import { type DatabaseDumpProps, DumpCompression, DumpLayout } from './dump-props';
import { invalid } from './invalid';
import type { PolicyNames } from './job-config';
import { checkRecipients } from './recipients';
import type { MountedVolume } from './runner-pod';

/**
 * What the policies of dumps of all engines have in common: the engine's own tool writes all that the server holds to a
 * store. Nothing of volumes or snapshots is needed, and a dump restores into another version, or another kind of machine.
 */
export abstract class DatabaseDump extends BackupPolicy {
  constructor(scope: Construct, id: string, props: DatabaseDumpProps) {
    super(scope, id, props);
  }

  /**
   * What the engine adds; called by the constructor.
   *
   * @internal
   */
  protected abstract _dumped(props: DatabaseDumpProps): DumpDefinition;

  /** @internal */
  protected override _policyConfig(props: DatabaseDumpProps, names: PolicyNames): PolicyConfig {
    checkDumpKinds(this, props);
    checkConnection(this, props);
    checkEnum(this, 'compression', props.compression, DumpCompression);
    checkEnum(this, 'layout', props.layout, DumpLayout);
    checkLayout(this, props);
    checkRecipients(this, props);
    const engine = this._dumped(props);
    return dumpConfigOf(this, props, { ...engine, connection: connectionOf(props, engine) }, names);
  }

  /** @internal */
  protected override _secrets(props: DatabaseDumpProps): readonly MountedVolume[] {
    return [...connectionVolumes(props), ...props.storage._volumes()];
  }

  /** @internal */
  protected override _serverImage({ serverImage }: DatabaseDumpProps): string {
    return serverImage;
  }
}

/** Whoever reads a dump by its KubeDB name expects SQL there. */
function checkLayout(construct: Construct, { layout, compression, recipients }: DatabaseDumpProps): void {
  if (layout !== DumpLayout.KUBEDB) return;
  const change = 'leave it out: whoever looks there expects what the tool wrote';
  if (recipients !== undefined) throw invalid(construct, 'has the layout kubedb, and recipients', change);
  if (compression === undefined || compression === DumpCompression.NONE) return;
  throw invalid(construct, `has the layout kubedb, and the compression ${compression}`, change);
}
