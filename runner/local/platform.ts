import { lstat, realpath, stat } from 'node:fs/promises';
import { hostname, networkInterfaces } from 'node:os';
import type { DatabaseResource, VolumeSelection } from '../../src/contract';
import { StillpointError } from '../errors';
import type { Finding, Platform, ServerPlace, Volume } from '../ports';

/** This machine: its volumes are folders, and its server is one that runs here. */
export class LocalPlatform implements Platform {
  readonly #selections: readonly VolumeSelection[];

  /** The folders of the policy: they are what is "mounted" here. */
  constructor(selections: readonly VolumeSelection[]) {
    this.#selections = selections;
  }

  async resolveVolumes(selections: readonly VolumeSelection[]): Promise<readonly Volume[]> {
    const folders = await Promise.all(selections.map(async (one) => ({ ...one, claim: await folderOf(one) })));
    return folders.map(({ name, role, claim }) => ({
      name,
      role,
      claim,
      namespace: '',
      nested: folders.map((other) => other.claim).filter((other) => other.startsWith(`${claim}/`)),
    }));
  }

  async readResource({ kind }: DatabaseResource): Promise<never> {
    throw new StillpointError('config-invalid', `the policy keeps a ${kind} with its backups, and here is no cluster`, {
      hint: 'take the backup by a Job of its policy',
    });
  }

  async findServers(): Promise<never> {
    throw new StillpointError(
      'config-invalid',
      'the policy finds its servers by the labels of pods, and here are none',
      {
        hint: 'take the backup by a Job of its policy',
      },
    );
  }

  /** A server at an address of this machine is taken for the one whose folders are named; its own paths have to agree. */
  async placeOf(address: string | undefined): Promise<ServerPlace | undefined> {
    if (address !== undefined && !isOurs(address)) return undefined;
    const folders = await Promise.all(
      this.#selections.map(async (one) => ({ given: one.directory ?? '', real: await folderOf(one) })),
    );
    const identities = await Promise.all(folders.map(({ real }) => lstat(real)));
    return {
      // A folder that is replaced by another of its name has another inode.
      uid: identities.map(({ dev, ino }) => `${dev}:${ino}`).join(' '),
      name: hostname(),
      // The server may know its folders by a path with links in it.
      mounts: folders.flatMap(({ given, real }) => [...new Set([given, real])].map((path) => ({ path, claim: real }))),
      workload: {},
    };
  }

  async checkAccess(): Promise<readonly Finding[]> {
    return [];
  }

  async clusterUid(): Promise<undefined> {
    return undefined;
  }
}

async function folderOf({ name, directory }: VolumeSelection): Promise<string> {
  if (directory === undefined) {
    throw new StillpointError('claim-not-found', `volume ${name} names no folder`, {
      hint: 'without Kubernetes each volume needs a directory',
    });
  }
  const path = await realpath(directory).catch(() => undefined);
  if (path !== undefined && (await stat(path)).isDirectory()) return path;
  throw new StillpointError('claim-not-found', `folder ${directory} of volume ${name} does not exist`, {
    hint: 'look at the directory of this volume in the job config',
  });
}

function isOurs(address: string): boolean {
  if (address === '::1' || address.startsWith('127.')) return true;
  return Object.values(networkInterfaces()).some((list) => list?.some((one) => one.address === address));
}
