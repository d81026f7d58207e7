/**
 * A small builder of JSON Schemas with their TypeScript types.
 *
 * The contract is read by the constructs (in the user's project) and by the runner (in the image), and it may depend
 * on nothing: so the schema is plain data (JSON Schema, draft 2020-12), the type is inferred from it, and
 * {@link validate} checks the few keywords that are used here. The same data is the documented schema of the formats.
 */

/** The JSON Schema keywords that the contract uses. */
export interface JsonSchema {
  readonly type: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  readonly description?: string;
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly items?: JsonSchema;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | JsonSchema;
}

declare const TYPE: unique symbol;
declare const OPTIONAL: unique symbol;

/** A schema together with the type of the values that it admits. */
export interface Schema<T> {
  readonly json: JsonSchema;
  readonly isOptional?: boolean;
  /** Exists for the compiler only. */
  readonly [TYPE]?: T;
}

/** A schema of a property that may be left out. */
export interface OptionalSchema<T> extends Schema<T> {
  readonly [OPTIONAL]: true;
}

/** The type that a schema admits. */
export type Infer<S> = S extends Schema<infer T> ? T : never;

type Shape = Readonly<Record<string, Schema<unknown>>>;
type OptionalKeys<S extends Shape> = { [K in keyof S]: S[K] extends OptionalSchema<unknown> ? K : never }[keyof S];
type InferShape<S extends Shape> = {
  readonly [K in Exclude<keyof S, OptionalKeys<S>>]: Infer<S[K]>;
} & { readonly [K in OptionalKeys<S>]?: Infer<S[K]> | undefined };

type Limits<K extends keyof JsonSchema> = Pick<JsonSchema, K | 'description'>;

/** A string, within limits. */
export function string(limits: Limits<'pattern' | 'minLength' | 'maxLength'> = {}): Schema<string> {
  return { json: { type: 'string', minLength: 1, ...limits } };
}

/** One of the given words. */
export function oneOf<const T extends readonly string[]>(words: T, description?: string): Schema<T[number]> {
  return { json: { type: 'string', enum: words, ...(description === undefined ? {} : { description }) } };
}

/** A whole number, within limits. */
export function integer(limits: Limits<'minimum' | 'maximum'> = {}): Schema<number> {
  return { json: { type: 'integer', ...limits } };
}

/** A number, within limits. */
export function number(limits: Limits<'minimum' | 'maximum'> = {}): Schema<number> {
  return { json: { type: 'number', ...limits } };
}

/** true or false. */
export function boolean(description?: string): Schema<boolean> {
  return { json: { type: 'boolean', ...(description === undefined ? {} : { description }) } };
}

/** An instant, ISO 8601 in UTC, with as many digits of a second as its source has. */
export function timestamp(description?: string): Schema<string> {
  return string({
    pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d{1,9})?Z$',
    ...(description === undefined ? {} : { description }),
  });
}

/** A list. */
export function array<T>(items: Schema<T>, limits: Limits<'minItems' | 'description'> = {}): Schema<readonly T[]> {
  return { json: { type: 'array', items: items.json, ...limits } };
}

/** A map from names to values of one kind. */
export function map<T>(values: Schema<T>, description?: string): Schema<Readonly<Record<string, T>>> {
  return {
    json: { type: 'object', additionalProperties: values.json, ...(description === undefined ? {} : { description }) },
  };
}

/** Any object, kept as it is: for copies of Kubernetes objects' specs. */
export function anything(description: string): Schema<Readonly<Record<string, unknown>>> {
  return { json: { type: 'object', additionalProperties: true, description } };
}

/**
 * An object with the given properties. Unknown ones are refused, so that a typing error is never silently ignored;
 * `open` admits them, for formats that a newer version may have written.
 */
export function object<S extends Shape>(
  properties: S,
  options: { readonly description?: string; readonly open?: boolean } = {},
): Schema<InferShape<S>> {
  const entries = Object.entries(properties);
  return {
    json: {
      type: 'object',
      ...(options.description === undefined ? {} : { description: options.description }),
      properties: Object.fromEntries(entries.map(([name, schema]) => [name, schema.json])),
      required: entries.filter(([, schema]) => schema.isOptional !== true).map(([name]) => name),
      additionalProperties: options.open ?? false,
    },
  };
}

/** A property that may be left out. */
export function optional<T>(schema: Schema<T>): OptionalSchema<T> {
  return { ...schema, isOptional: true } as unknown as OptionalSchema<T>;
}
