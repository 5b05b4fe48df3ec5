import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { toOutputSchema } from '../../adapters/tasks/output-schema.ts';
import { fitsStrictMode } from '../../domain/model/strict-schema.ts';

const isStrict = (schema: z.ZodType) => {
  const json = toOutputSchema(schema);
  if (typeof json === 'string') throw new Error(json);
  return fitsStrictMode(json);
};

describe('a schema that a provider can guarantee is asked for strictly', () => {
  test.each([
    ['closed objects with every property required', z.object({ a: z.string(), b: z.array(z.object({ c: z.int() })) })],
    ['a property that may be null', z.object({ a: z.string().nullable() })],
    ['a choice inside the object', z.object({ a: z.union([z.string(), z.object({ k: z.literal('x') })]) })],
    ['ranges, enums and known formats', z.object({ a: z.number().min(1).max(5), b: z.enum(['x', 'y']), c: z.iso.date() })],
  ])('%s', (_what, schema) => expect(isStrict(schema)).toBe(true));
});

describe('any other is sent as a wish', () => {
  test.each([
    ['an optional property', z.object({ a: z.string().optional() })],
    ['an optional property deep inside', z.object({ a: z.array(z.object({ b: z.string().optional() })) })],
    ['an open object', z.looseObject({ a: z.string() })],
    ['a record', z.object({ a: z.record(z.string(), z.number()) })],
    ['a length of a text', z.object({ a: z.string().min(1) })],
    ['a default', z.object({ a: z.string().default('x') })],
    ['a lookahead', z.object({ a: z.string().regex(/^(?=a)/) })],
    ['an unknown format', z.object({ a: z.url() })],
  ])('%s', (_what, schema) => expect(isStrict(schema)).toBe(false));

  test('a schema without properties that says object inside a choice at its root', () => {
    expect(fitsStrictMode({ type: 'object', anyOf: [{ type: 'object', additionalProperties: false }], additionalProperties: false })).toBe(false);
  });

  test('more levels than are taken', () => {
    const nest = (depth: number): z.ZodType => (depth === 0 ? z.string() : z.object({ a: nest(depth - 1) }));
    expect([isStrict(nest(9)), isStrict(nest(12))]).toEqual([true, false]);
  });
});

describe('an output schema', () => {
  test('closes objects that say nothing of further keys, and leaves open ones open', () => {
    expect(toOutputSchema(z.object({ a: z.string() }))).toEqual({
      type: 'object',
      properties: { a: { type: 'string' } },
      required: ['a'],
      additionalProperties: false,
    });
    expect(toOutputSchema(z.looseObject({}))).toMatchObject({ additionalProperties: {} });
  });

  test.each([
    ['a text', z.string(), 'type "object"'],
    ['a date', z.object({ at: z.date() }), 'no JSON Schema form'],
    ['more than 64 KiB', z.object({ a: z.string().describe('x'.repeat(70_000)) }), 'at most 65536'],
  ])('can not be %s', (_what, schema, message) => expect(toOutputSchema(schema)).toContain(message));
});
