import { expect, test } from 'vitest';
import { emptyPlaces, folderOfPlace, placed } from '../../../runner/copy/places';
import { record } from '../../support/record';

const place = (index: number): { name: string; claim: string } => ({ name: `place-${index}`, claim: `copy-${index}` });
const three = { volumes: [place(0), place(1), place(2)], places: true };

const backup = (...names: string[]) =>
  record({ volumes: names.map((name) => ({ name, role: 'data' as const, claim: `claim-of-${name}` })) });

test('volumes that are found take the places in their order; what is left over stays empty', () => {
  expect(placed(backup('files-0', 'files-1'), three)).toEqual(['files-0=copy-0', 'files-1=copy-1']);
  const taken = [
    { name: 'files-0', claim: 'copy-0' },
    { name: 'files-1', claim: 'copy-1' },
  ];
  expect(taken.map((volume) => folderOfPlace(volume, three))).toEqual(['place-0', 'place-1']);
  expect(emptyPlaces(taken, three)).toEqual(['copy-2']);
});

test('a backup with more volumes than places is refused: no volume is left out without a word', () => {
  expect(() => placed(backup('a', 'b', 'c', 'd'), three)).toThrowError(
    expect.objectContaining({
      code: 'volume-mismatch',
      message: expect.stringContaining('has 4 volumes (a, b, c, d), and its copy has places for 3'),
      hint: 'set maxVolumes of the SnapshotCopy to 4 or more',
    }),
  );
});

test('volumes that are known by name have their own claims and folders, and none is empty', () => {
  const known = {
    volumes: [
      { name: 'data', claim: 'copy-data' },
      { name: 'wal', claim: 'copy-wal' },
    ],
  };
  expect(placed(backup('data'), known)).toEqual(['data=copy-data', 'wal=copy-wal']);
  expect(folderOfPlace({ name: 'wal', claim: 'copy-wal' }, known)).toBeUndefined();
  expect(emptyPlaces(known.volumes, known)).toEqual([]);
});
