import { describe, expect, it } from 'vitest';
import {
  array,
  boolean,
  integer,
  map,
  number,
  object,
  oneOf,
  optional,
  type Schema,
  string,
  timestamp,
} from '../../src/contract/schema';
import { validate } from '../../src/contract/validate';

const SCHEMA = object({
  name: string({ maxLength: 5, pattern: '^[a-z]+$' }),
  count: optional(integer({ minimum: 1, maximum: 3 })),
  kind: optional(oneOf(['a', 'b'])),
  tags: optional(map(string())),
  list: optional(array(object({ on: boolean() }), { minItems: 1 })),
  at: optional(timestamp()),
  ratio: optional(number({ minimum: 0 })),
});

const CASES: readonly [value: unknown, problems: readonly string[]][] = [
  [{ name: 'abc' }, []],
  [{ name: 'abc', count: 2, kind: 'a', tags: { x: 'y' }, list: [{ on: true }], ratio: 1 }, []],
  [{ name: 'abc', ratio: 0.5, at: '2026-01-02T03:04:05.123456789Z' }, []],
  [undefined, [' must be an object, is undefined']],
  [null, [' must be an object, is null']],
  [[], [' must be an object, is array']],
  [{}, ['name is missing']],
  [{ name: '' }, ['name must not be empty']],
  [{ name: 'abcdef' }, ['name must have at most 5 characters, has 6']],
  [{ name: 'A' }, ['name must match ^[a-z]+$, is "A"']],
  [{ name: 'a', count: 0 }, ['count must be at least 1, is 0']],
  [{ name: 'a', count: 4 }, ['count must be at most 3, is 4']],
  [{ name: 'a', count: 1.5 }, ['count must be an integer, is number']],
  [{ name: 'a', count: '1' }, ['count must be an integer, is string']],
  [{ name: 'a', kind: 'c' }, ['kind must be one of a, b, is "c"']],
  [{ name: 'a', tags: { x: 1 } }, ['tags.x must be a string, is integer']],
  [{ name: 'a', list: [] }, ['list must have at least 1 entries, has 0']],
  [{ name: 'a', list: [{ on: 1 }] }, ['list[0].on must be a boolean, is integer']],
  [{ name: 'a', at: 'yesterday' }, ['at must match']],
  [{ name: 'a', ratio: -1 }, ['ratio must be at least 0, is -1']],
  [{ name: 'a', nmae: 1 }, ['nmae is not known; known here are name, count']],
  [JSON.parse('{"name":"a","__proto__":1,"constructor":2}'), ['__proto__ is not known', 'constructor is not known']],
];

describe('validate', () => {
  it.each(CASES)('%j', (value, expected) => {
    const problems = validate(SCHEMA as Schema<unknown>, value).map(({ path, message }) => `${path} ${message}`);
    expect(problems).toHaveLength(expected.length);
    for (const [index, text] of expected.entries()) expect(problems[index]).toContain(text);
  });
});
