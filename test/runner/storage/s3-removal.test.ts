/** Deletions in a bucket that keeps versions: of a stand-in for the client, which keeps them as S3 says that it does. */
import { S3Client } from '@aws-sdk/client-s3';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../runner/clock';
import { Retrying } from '../../../runner/storage/retrying';
import { deleteAll, type S3Deleting, versionedOf } from '../../../runner/storage/s3/removal';

const { signal } = new AbortController();

interface Version {
  readonly Key: string;
  readonly VersionId: string;
  readonly marker: boolean;
}

class Bucket extends S3Client {
  versions: Version[] = [];
  mayList = true;
  #next = 0;

  override async send(command: object): Promise<never> {
    const { input } = command as { readonly input: { Delete?: { Objects: { Key: string; VersionId?: string }[] } } };
    return (
      input.Delete === undefined ? this.#list() : { Deleted: input.Delete.Objects.map((each) => this.#delete(each)) }
    ) as never;
  }

  #list(): object {
    if (!this.mayList)
      throw Object.assign(new Error('no'), { name: 'AccessDenied', $metadata: { httpStatusCode: 403 } });
    const of = (marker: boolean) => this.versions.filter((version) => version.marker === marker);
    return { Versions: of(false), DeleteMarkers: of(true) };
  }

  #delete({ Key, VersionId }: { Key: string; VersionId?: string }): object {
    if (VersionId === undefined) {
      const marker = { Key, VersionId: `m${this.#next++}`, marker: true };
      this.versions.push(marker);
      return { Key, DeleteMarker: true, DeleteMarkerVersionId: marker.VersionId };
    }
    this.versions = this.versions.filter((version) => version.Key !== Key || version.VersionId !== VersionId);
    return { Key, VersionId };
  }
}

function scene(...versions: readonly Version[]): { readonly bucket: Bucket; readonly within: S3Deleting } {
  const bucket = new Bucket({ region: 'none' });
  bucket.versions.push(...versions);
  const retrying = new Retrying({ clock: systemClock, random: Math.random, patienceMs: 1_000 });
  return { bucket, within: { client: bucket, bucket: 'b', retrying, store: 'bucket b', shown: (key) => key } };
}

const version = (Key: string, VersionId: string): Version => ({ Key, VersionId, marker: false });

describe('a bucket that keeps versions', () => {
  it('loses what it had before it kept any, and the mark that hid it meanwhile', async () => {
    const { bucket, within } = scene(version('d/a', 'null'), version('d/a', 'v1'), version('d/b', 'null'));
    await deleteAll(within, ['d/a'], signal);
    expect(bucket.versions).toEqual([version('d/b', 'null')]);
  });

  it('does not pass for one that has deleted where versions may not be listed, and is not taken for empty after that', async () => {
    const { bucket, within } = scene(version('d/a', 'v1'));
    bucket.mayList = false;
    const hidden = { code: 'store-denied', message: expect.stringContaining('hidden in bucket b') };
    await expect(deleteAll(within, ['d/a'], signal)).rejects.toMatchObject(hidden);
    expect(bucket.versions).toContainEqual(version('d/a', 'v1'));
    expect(await versionedOf(within, ['d/a'], signal)).toEqual(['d/a']);
  });
});
