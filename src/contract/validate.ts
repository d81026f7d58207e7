import type { JsonSchema, Schema } from './schema';

/** One thing that is wrong with a document: where, and what. */
export interface Problem {
  /** The path of the value, as `spec.volumes[0].claim`; empty for the document itself. */
  readonly path: string;
  /** What is wrong with it, as `must be at least 1, is 0`. */
  readonly message: string;
}

/** Says what in a value does not fit a schema; an empty list means that it is of the schema's type. */
export function validate<T>(schema: Schema<T>, value: unknown): readonly Problem[] {
  return [...check(schema.json, value, '')];
}

/** Tells whether a value fits a schema. */
export function fits<T>(schema: Schema<T>, value: unknown): value is T {
  return validate(schema, value).length === 0;
}

function* check(schema: JsonSchema, value: unknown, path: string): Generator<Problem> {
  const actual = kindOf(value);
  if (actual !== schema.type && !(schema.type === 'number' && actual === 'integer')) {
    yield { path, message: `must be ${article(schema.type)}, is ${actual}` };
    return;
  }
  if (typeof value === 'string') yield* checkString(schema, value, path);
  else if (typeof value === 'number') yield* checkNumber(schema, value, path);
  else if (Array.isArray(value)) yield* checkArray(schema, value, path);
  else if (typeof value === 'object') yield* checkObject(schema, value as Record<string, unknown>, path);
}

function* checkString(schema: JsonSchema, value: string, path: string): Generator<Problem> {
  if (schema.enum !== undefined && !schema.enum.includes(value)) {
    yield { path, message: `must be one of ${schema.enum.join(', ')}, is "${value}"` };
  }
  if (schema.minLength !== undefined && value.length < schema.minLength) {
    yield { path, message: schema.minLength === 1 ? 'must not be empty' : `is shorter than ${schema.minLength}` };
  }
  if (schema.maxLength !== undefined && value.length > schema.maxLength) {
    yield { path, message: `must have at most ${schema.maxLength} characters, has ${value.length}` };
  }
  if (schema.pattern !== undefined && value !== '' && !new RegExp(schema.pattern, 'u').test(value)) {
    yield { path, message: `must match ${schema.pattern}, is "${value}"` };
  }
}

function* checkNumber(schema: JsonSchema, value: number, path: string): Generator<Problem> {
  if (schema.minimum !== undefined && value < schema.minimum) {
    yield { path, message: `must be at least ${schema.minimum}, is ${value}` };
  }
  if (schema.maximum !== undefined && value > schema.maximum) {
    yield { path, message: `must be at most ${schema.maximum}, is ${value}` };
  }
}

function* checkArray(schema: JsonSchema, value: readonly unknown[], path: string): Generator<Problem> {
  if (schema.minItems !== undefined && value.length < schema.minItems) {
    yield { path, message: `must have at least ${schema.minItems} entries, has ${value.length}` };
  }
  const items = schema.items;
  if (items === undefined) return;
  for (const [index, item] of value.entries()) yield* check(items, item, `${path}[${index}]`);
}

function* checkObject(schema: JsonSchema, value: Record<string, unknown>, path: string): Generator<Problem> {
  const at = (name: string): string => (path === '' ? name : `${path}.${name}`);
  for (const name of schema.required ?? []) {
    if (value[name] === undefined) yield { path: at(name), message: 'is missing' };
  }
  for (const [name, item] of Object.entries(value)) {
    if (item === undefined) continue;
    const known = Object.hasOwn(schema.properties ?? {}, name) ? schema.properties?.[name] : undefined;
    if (known !== undefined) yield* check(known, item, at(name));
    else if (typeof schema.additionalProperties === 'object') {
      yield* check(schema.additionalProperties, item, at(name));
    } else if (schema.additionalProperties === false) {
      yield {
        path: at(name),
        message: `is not known; known here are ${Object.keys(schema.properties ?? {}).join(', ')}`,
      };
    }
  }
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (Number.isInteger(value)) return 'integer';
  return typeof value;
}

function article(type: string): string {
  return `${/^[aeiou]/.test(type) ? 'an' : 'a'} ${type}`;
}
