import { globSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { type Anything, apply, KINDS } from './harness/cluster';
import { wouldApply } from './harness/dry-run';
import { makeNamespace, type TestNamespace } from './harness/namespace';

/** The examples of dist/, shown to a real API server. */

let namespace: TestNamespace;

beforeAll(async () => {
  namespace = await makeNamespace('manifests');
  const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
  await apply([{ ...KINDS.namespace, metadata: { name: namespace.name, labels } }]);
  // A pod is admitted only under an account that is there.
  await apply(moved().filter(({ kind }) => kind === 'ServiceAccount'));
});
afterAll(() => namespace[Symbol.asyncDispose]());

/** All objects of dist/, in the test's namespace instead of their own. */
function moved(): readonly Anything[] {
  return globSync('dist/*.yaml').flatMap((file) =>
    parseAllDocuments(readFileSync(file, 'utf8')).map((document): Anything => {
      const object: Anything = document.toJS();
      if (object.metadata?.namespace !== undefined) object.metadata.namespace = namespace.name;
      return object;
    }),
  );
}

/** The pods that the CronJobs and Jobs of dist/ would make. */
function pods(): readonly Anything[] {
  return moved()
    .filter(({ kind }) => kind === 'CronJob' || kind === 'Job')
    .map(({ metadata, spec }): Anything => {
      const { template } = (spec.jobTemplate ?? { spec }).spec;
      return { ...KINDS.pod, metadata: { name: `${metadata?.name}`, namespace: namespace.name }, spec: template.spec };
    });
}

/** The files of a plain volume belong to whoever wrote them: what prepares a copy of them is root. */
function ofAnyOwner({ spec }: Anything): boolean {
  return spec.securityContext?.runAsUser === 0;
}

describe('the examples', () => {
  it('are taken by the API server as they are', async () => {
    const objects = moved();
    expect(objects.length).toBeGreaterThan(30);
    for (const object of objects) await wouldApply(object);
  });

  it('would not be with a field that does not exist', async () => {
    const cronJob = moved().find(({ kind }) => kind === 'CronJob');
    await expect(
      wouldApply({ ...cronJob, spec: { ...cronJob?.spec, timezone: 'Etc/UTC' } } as Anything),
    ).rejects.toThrow('timezone');
  });

  it('make pods that a namespace admits whose Pod Security Standard is restricted', async () => {
    expect(pods().length).toBeGreaterThan(6);
    for (const pod of pods().filter((each) => !ofAnyOwner(each))) await wouldApply(pod);
    // The only ones that take more are of plain volumes: they say so, and are refused there.
    const others = pods().filter(ofAnyOwner);
    expect(others.map(({ metadata }) => metadata?.name)).toEqual([expect.stringMatching(/^ocelot-uploads-copy-/)]);
    for (const pod of others) await expect(wouldApply(pod)).rejects.toThrow('violates PodSecurity');
  });

  it('make no pod that would be refused there without notice', async () => {
    const [pod] = pods();
    const privileged = {
      ...pod?.spec,
      securityContext: { ...pod?.spec.securityContext, runAsUser: 0, runAsNonRoot: false },
    };
    await expect(wouldApply({ ...pod, spec: privileged } as Anything)).rejects.toThrow('violates PodSecurity');
  });
});
