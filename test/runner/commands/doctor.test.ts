import { describe, expect, test } from 'vitest';
import { type DoctorContext, doctor } from '../../../runner/commands/doctor';
import { StillpointError } from '../../../runner/errors';
import type { Finding } from '../../../runner/ports';
import { failOnErrors } from '../../../runner/preflight';
import { FakeClock } from '../../support/fake-clock';

const finding = (code: Finding['code']): Finding => ({ severity: 'error', code, subject: 's', message: `m ${code}` });

/** A policy with everything wrong: no Secret, one claim of two missing, no class, no rights. */
const context = {
  namespace: 'shop',
  clock: new FakeClock(),
  config: {
    spec: { database: 'orders-db', volumes: [{ name: 'data' }, { name: 'log' }, { name: 'x', podVolume: 'y' }] },
  },
  sources: [
    {
      name: '',
      config: { volumes: [] },
      readTarget: async () => {
        throw new StillpointError('credentials-unreadable', 'no Secret');
      },
    },
  ],
  registry: { list: async () => [] },
  platform: {
    checkAccess: async () => [finding('permission-missing')],
    resolveVolumes: async ([{ name }]: [{ name: string }]) => {
      if (name === 'log') throw new StillpointError('claim-not-found', 'no claim');
      return [{ name }];
    },
  },
  store: { check: async (volumes: object[]) => (volumes.length === 1 ? [finding('class-not-found')] : []) },
} as unknown as DoctorContext;

describe('doctor', () => {
  test('goes on with what needs no session when the session cannot be had', async () => {
    expect((await doctor(context)).map(({ code }) => code)).toEqual([
      'ok',
      'credentials-unreadable',
      'permission-missing',
      'claim-not-found',
      'class-not-found',
    ]);
  });

  test('ends with the first code, and says nothing twice', async () => {
    const findings = await doctor(context);
    expect(() => failOnErrors(findings)).toThrowError(
      expect.objectContaining({ code: 'credentials-unreadable', message: '4 checks failed', hint: undefined }),
    );
  });
});
