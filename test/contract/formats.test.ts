import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { parseConfig } from '../../runner/config';
import { RECORD, validate } from '../../src/contract';

const FOLDER = new URL('./formats/', import.meta.url);
const VERSIONS = readdirSync(FOLDER, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

describe.each(VERSIONS)('documents of version %s', (version) => {
  const read = (name: string): string => readFileSync(new URL(`./formats/${version}/${name}`, import.meta.url), 'utf8');

  it('has a job config that this runner reads', () => {
    expect(parseConfig(read('backup-config.yaml'), version).spec.database).toBe('orders-db');
  });

  it('has a record that this runner reads', () => {
    expect(validate(RECORD, parse(read('record.yaml')))).toEqual([]);
  });
});

describe('a record of a newer version', () => {
  it('is read, and what this version does not know is kept', () => {
    const record = {
      ...parse(readFileSync(new URL('./formats/0.1.0/record.yaml', import.meta.url), 'utf8')),
      tier: 'gold',
    };
    expect(validate(RECORD, record)).toEqual([]);
  });
});
