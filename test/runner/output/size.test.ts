import { expect, it } from 'vitest';
import { bytesText } from '../../../runner/output/size';

it.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1024, '1.0 KiB'],
  [1024 ** 2 * 1.5, '1.5 MiB'],
  [1024 ** 3, '1.0 GiB'],
  [1024 ** 4 * 2048, '2048.0 TiB'],
])('%i bytes are %s', (bytes, text) => {
  expect(bytesText(bytes)).toBe(text);
});
