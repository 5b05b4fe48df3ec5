import { z } from 'zod';
import type { JsonObject } from '../../contracts/json.ts';

/** It goes out with every request, and into every correction. */
const MAX_SCHEMA_BYTES = 65_536;

/**
 * The JSON Schema of an answer that a zod object takes, or a sentence where there is none. Objects that say nothing of further
 * keys are closed: zod would drop such keys, and only a closed object can be guaranteed by a provider.
 */
export function toOutputSchema(schema: z.ZodType): JsonObject | string {
  try {
    const { $schema: _dialect, ...output } = z.toJSONSchema(schema, {
      io: 'input',
      override: ({ zodSchema, jsonSchema }) => {
        const { def } = zodSchema._zod as { def: { readonly type: string; readonly catchall?: unknown } };
        if (def.type === 'object' && def.catchall === undefined) jsonSchema.additionalProperties = false;
      },
    }) as Record<string, unknown>;
    return outputSchemaProblem(output as JsonObject) ?? (output as JsonObject);
  } catch (error) {
    return `this zod schema has no JSON Schema form: ${(error as Error).message}. Use what JSON can carry: strings, numbers, booleans, arrays, objects.`;
  }
}

/** What keeps a JSON Schema from being one that answers can be checked against. Null where nothing does. */
export function outputSchemaProblem(schema: JsonObject): string | null {
  if (schema.type !== 'object')
    return `expected a JSON Schema of type "object", saw type ${JSON.stringify(schema.type) ?? 'nothing'}. An answer with a schema is one object.`;
  const bytes = Buffer.byteLength(JSON.stringify(schema), 'utf8');
  if (bytes > MAX_SCHEMA_BYTES) return `the schema has ${bytes} bytes as JSON; at most ${MAX_SCHEMA_BYTES} are taken, because it goes out with every request.`;
  try {
    z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]);
    return null;
  } catch (error) {
    return `answers can't be checked against this JSON Schema: ${(error as Error).message}. Write it with type, properties, required, enum, items, anyOf.`;
  }
}
