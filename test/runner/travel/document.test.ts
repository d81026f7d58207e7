import { describe, expect, it } from 'vitest';
import { recordText } from '../../../runner/dump/record';
import { canonicalJson } from '../../../runner/travel/canonical';
import { exportedBackup, formatExport, parseImportable } from '../../../runner/travel/document';
import { generateKeys, signed, verified } from '../../../runner/travel/signature';
import { EXPORTED_BACKUP, type ExportedBackup, validate } from '../../../src/contract';
import { record } from '../../support/record';

const snapshots = [{ volume: 'data', driver: 'disk.test', handle: 'snap-1' }];
const exported = record({
  // What YAML has many ways to write: line ends, quotes, what looks like a number, nothing at all.
  artifacts: { backup_label: 'START WAL LOCATION: 0/2\r\nLABEL: "it\'s"\t\n\n', empty: '' },
  settings: { number: '0x1F', date: '2026-01-01', yes: 'yes', tilde: '~', emoji: 'ü 🐘' },
  leftovers: undefined,
});
const document = exportedBackup(exported, snapshots, {
  at: new Date('2026-01-02T03:04:05.678Z'),
  registry: 'stillpoint',
  runnerVersion: '0.1.0',
});

/** What comes out at the other end. */
const travelled = (from: ExportedBackup): ExportedBackup => {
  const read = parseImportable(formatExport(from), 'it.yaml');
  if (!('document' in read)) throw new Error('it was read as a record');
  return read.document;
};

describe('canonical JSON', () => {
  it.each<[string, unknown, string]>([
    [
      'sorts keys by their code units',
      { b: 1, a: 2, B: 3, ä: 4, '10': 5, '9': 6 },
      '{"10":5,"9":6,"B":3,"a":2,"b":1,"ä":4}',
    ],
    ['has no spaces, at any depth', { a: [{ c: null, b: true }, []] }, '{"a":[{"b":true,"c":null},[]]}'],
    ['leaves out what has no value', { a: undefined, b: 1 }, '{"b":1}'],
    [
      'writes strings and numbers as ECMAScript does',
      ['\u0007\n"\\é', 1e21, 0.1, -0],
      '["\\u0007\\n\\"\\\\é",1e+21,0.1,0]',
    ],
  ])('%s', (_, value, text) => {
    expect(canonicalJson(value)).toBe(text);
  });

  it('is the same for a document that has been through a file', () => {
    expect(canonicalJson(travelled(document))).toBe(canonicalJson(document));
  });
});

describe('an exported backup', () => {
  it('fits its schema, and is read as it was written', () => {
    expect(validate(EXPORTED_BACKUP, document)).toEqual([]);
    expect(JSON.parse(canonicalJson(travelled(document)))).toEqual(JSON.parse(JSON.stringify(document)));
  });

  it.each<[string, string, RegExp]>([
    ['no YAML', 'a: [', /it.yaml is no YAML/],
    ['something else', 'kind: Pod\n', /it.yaml is no exported backup: apiVersion is missing/],
    ['the beginning of a record', 'kind: Backup\n', /it.yaml is no record of a dump: apiVersion is missing/],
    ['aliases, of which a few lines become gigabytes', 'a: &a [x]\nb: [*a, *a]\n', /is no YAML: .*alias/i],
    ['more than any record', ' '.repeat(5 * 1024 * 1024), /larger than 4 MiB/],
    ['no snapshots', formatExport({ ...document, snapshots: [] }), /snapshots must have at least 1 entries/],
    [
      'a record of no kind',
      formatExport({ ...document, record: { ...exported, kind: 'Pod' as never } }),
      /record.kind must be/,
    ],
  ])('is refused when it is %s', (_, text, message) => {
    expect(() => parseImportable(text, 'it.yaml')).toThrow(message);
  });
});

describe('the record beside a dump', () => {
  it('is read as what it is', () => {
    const dumped = record({ mode: 'dump' });
    expect(parseImportable(recordText(dumped), 'it.yaml')).toEqual({ copy: dumped });
  });
});

describe('a signature', () => {
  const keys = generateKeys();
  const others = generateKeys();
  const safe = travelled(signed(document, keys.privateKey, 'key'));

  it('fits the document wherever it was read, and says by which key', () => {
    expect(verified(safe, keys.publicKey, 'key.pub')).toBe(keys.name);
    expect(verified(safe, keys.privateKey, 'key')).toBe(keys.name);
  });

  it('is the same for the same document and key', () => {
    expect(signed(travelled(document), keys.privateKey, 'key').signature).toEqual(safe.signature);
  });

  it.each<[string, ExportedBackup, RegExp]>([
    [
      'a character of a handle',
      { ...safe, snapshots: [{ ...snapshots[0], handle: 'snap-2' } as never] },
      /was altered/,
    ],
    ['something of the record', { ...safe, record: { ...safe.record, database: 'other' } }, /was altered/],
    ['something that is not known here', { ...safe, more: 'of it' } as ExportedBackup, /was altered/],
    ['when it was written', { ...safe, exported: { ...safe.exported, at: '2027-01-01T00:00:00Z' } }, /was altered/],
    [
      'all of it, signed by somebody else',
      signed(document, others.privateKey, 'other'),
      /was signed by key .* holds key/,
    ],
    [
      'all of it, signed by somebody else under the right name',
      { ...safe, signature: { ...signed(document, others.privateKey, 'other').signature, key: keys.name } as never },
      /was altered/,
    ],
    ['the signature, to nothing', { ...safe, signature: { ...safe.signature, value: '=' } as never }, /was altered/],
    ['the signature, which is gone', document, /carries no signature/],
  ])('does not fit when it was changed: %s', (_, changed, message) => {
    expect(() => verified(changed, keys.publicKey, 'key.pub')).toThrow(message);
  });

  it('is made with no other kind of key', () => {
    expect(() => signed(document, keys.publicKey, 'key.pub')).toThrow(/key.pub holds no private key in PEM/);
    expect(() => verified(safe, 'nonsense', 'key.pub')).toThrow(/key.pub holds no public key in PEM/);
  });
});
