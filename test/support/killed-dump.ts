/** A runner in a process of its own, that takes a dump as far as it is let. Told by one argument what it does, and where it is killed by itself. */
import fs from 'node:fs/promises';
import { takeDump } from '../../runner/commands/dump';
import { DirectoryRegistry } from '../../runner/registry/directory';
import type { StoreConfig } from '../../src/contract';
import { dumpContext } from '../runner/commands/dump-context';
import { QuietLog } from './quiet-log';

/** What the process is told. */
export interface KilledDump {
  readonly storage: StoreConfig;
  readonly records: string;
  readonly script: string;
  /** It kills itself when it is about to put this record in place, from 1; never when left out. */
  readonly atRecord?: number | undefined;
}

const told = JSON.parse(process.argv[2] ?? '{}') as KilledDump;

/** Between the file of a record and its name. */
let records = 0;
for (const name of ['link', 'rename'] as const) {
  const real = fs[name];
  fs[name] = async (from, to) => {
    if (`${to}`.startsWith(told.records) && ++records === told.atRecord) {
      process.kill(process.pid, 'SIGKILL');
      await new Promise(() => undefined);
    }
    await real(from, to);
  };
}

const registry = new DirectoryRegistry(told.records, new QuietLog());
const { storage, script } = told;
takeDump(dumpContext({ storage, registry, said: [] }, { script, dump: { compression: 'none' } })).then(
  () => process.exit(),
  (error: unknown) => {
    process.stderr.write(`${error}\n`);
    process.exit(1);
  },
);
