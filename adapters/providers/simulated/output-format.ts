import { z } from 'zod';
import { RefusedRequest } from './wire-request.ts';

const jsonSchema = {
  name: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/),
  description: z.string().nullish(),
  schema: z.record(z.string(), z.unknown()).optional(),
  strict: z.boolean().nullish(),
};

/** `response_format` of a chat completion. */
export const chatFormatSchema = z.discriminatedUnion('type', [
  z.looseObject({ type: z.enum(['text', 'json_object']) }),
  z.looseObject({ type: z.literal('json_schema'), json_schema: z.looseObject(jsonSchema) }),
]);

/** `text.format` of a response. */
export const responsesFormatSchema = z.discriminatedUnion('type', [
  z.looseObject({ type: z.enum(['text', 'json_object']) }),
  z.looseObject({ type: z.literal('json_schema'), ...jsonSchema }),
]);

interface NamedSchema {
  readonly name: string;
  readonly schema?: unknown;
  readonly strict?: boolean | null | undefined;
}

/** The bytes of a format, which are charged as input. @throws RefusedRequest 400 where `strict` asks for a schema that can't be guaranteed. */
export function outputFormatBytes(format: NamedSchema | null, param: string): number {
  if (!format) return 0;
  const problem = format.strict ? openObject(format.schema, '()') : null;
  if (problem) throw new RefusedRequest(400, `Invalid schema for response_format '${format.name}': ${problem}`, 'invalid_json_schema', param);
  return Buffer.byteLength(JSON.stringify(format));
}

/** As OpenAI in strict mode: every object says `additionalProperties: false` and requires each of its properties. */
function openObject(value: unknown, context: string): string | null {
  if (typeof value !== 'object' || value === null) return null;
  const schema = value as Readonly<Record<string, unknown>>;
  if (schema.type === 'object') {
    if (schema.additionalProperties !== false) return `In context=${context}, 'additionalProperties' is required to be supplied and to be false.`;
    const required = Array.isArray(schema.required) ? schema.required : [];
    const missing = Object.keys((schema.properties as object | undefined) ?? {}).find((name) => !required.includes(name));
    if (missing)
      return `In context=${context}, 'required' is required to be supplied and to be an array including every key in properties. Missing '${missing}'.`;
  }
  for (const [key, part] of Object.entries(schema)) {
    const problem = openObject(part, `('${key}')`);
    if (problem) return problem;
  }
  return null;
}
