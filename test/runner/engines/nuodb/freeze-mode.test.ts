/** What the modes of the backup hooks mean, and what says which it is. */
import { describe, expect, it } from 'vitest';
import { checkRequest, requestProblems } from '../../../../runner/engines/nuodb/checks';
import { freezeModeOf, meaningOf, modeOfPod, standsStill } from '../../../../runner/engines/nuodb/freeze-mode';
import { archive, request } from './requests';

describe('the mode of the hooks', () => {
  it.each([
    [{}, undefined],
    [{ FREEZE_MODE: 'hotsnap' }, 'hotsnap'],
    [{ FREEZE_MODE: 'Suspend', USE_SUSPEND: 'false' }, 'suspend'],
    [{ FREEZE_MODE: 'of a later version' }, undefined],
    [{ USE_SUSPEND: 'true' }, 'suspend'],
    [{ USE_SUSPEND: 'yes' }, 'fsfreeze'],
  ])('by the manifest %j is %s', (environment, mode) => {
    expect(modeOfPod(environment)).toBe(mode);
  });

  it.each([
    [{}, undefined, 'hotsnap'],
    [{}, 'fsfreeze', 'fsfreeze'],
    [{ freezeMode: 'suspend' }, undefined, 'suspend'],
  ] as const)('by the policy %j and the manifest %s is %s', (options, ofPod, mode) => {
    expect(freezeModeOf({ options }, ofPod)).toBe(mode);
  });

  it('is refused where the policy says another one than the manifest', () => {
    const asked = request({ options: { freezeMode: 'suspend' } });
    expect(requestProblems(asked, 'hotsnap')).toMatchObject([
      { code: 'config-invalid', message: 'freezeMode is suspend, and the backup hooks of the pod are told hotsnap' },
    ]);
    expect(requestProblems(asked, 'suspend')).toEqual([]);
    expect(checkRequest(asked, { current: undefined, where: 'here', mode: 'fsfreeze' })).toMatchObject([
      { severity: 'error', message: expect.stringContaining('are told fsfreeze') },
    ]);
  });
});

describe('what is held', () => {
  it.each([
    ['hotsnap', 2, 'log-recycling', /archiving paused.*while the journal went on/],
    ['fsfreeze', 2, 'log-recycling', /file system of the archive was frozen while the journal went on/],
    ['suspend', 2, 'everything', /archive and journal stood still/],
    ['hotsnap', 1, 'nothing', /one volume.*recovers as after a crash.*the hooks hold nothing there/],
    ['suspend', 1, 'nothing', /one volume/],
  ] as const)('by %s on %i volumes is said to be %s', (mode, volumes, freezes, held) => {
    expect(meaningOf(mode, volumes)).toEqual({ freezes, held: expect.stringMatching(held) });
  });

  it('is all of several storage managers only where each is suspended, with a volume for its journal', () => {
    expect(standsStill('suspend', 2)).toBe(true);
    const several = { standstill: true, options: { freezeMode: 'suspend' } };
    expect(requestProblems(request(several), undefined)).toEqual([]);
    for (const wrong of [{ ...several, volumes: [archive] }, { standstill: true }]) {
      expect(requestProblems(request(wrong), undefined)).toMatchObject([
        { message: expect.stringContaining('several storage managers are to be of one instant') },
      ]);
    }
  });
});
