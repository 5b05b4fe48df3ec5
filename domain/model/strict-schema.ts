import type { JsonObject, JsonValue } from '../../contracts/json.ts';

/** Keywords that OpenAI's strict mode takes (guide "Structured Outputs", supported schemas); with any other it refuses the request. */
const KEYWORDS = new Set(
  [
    'type properties required additionalProperties items anyOf enum const $ref $defs title description',
    'pattern format multipleOf minimum maximum exclusiveMinimum exclusiveMaximum minItems maxItems',
  ].flatMap((line) => line.split(' ')),
);
const FORMATS = new Set(['date-time', 'time', 'date', 'duration', 'email', 'hostname', 'ipv4', 'ipv6', 'uuid']);
const MAX_DEPTH = 10;
const MAX_PROPERTIES = 5_000;
const MAX_ENUM_VALUES = 1_000;

/**
 * Whether a provider can be asked to guarantee a schema (`strict`): every object closed with all its properties required, and
 * no keyword outside the supported ones. Anything else is sent as a wish; the answer is checked here either way.
 */
export function fitsStrictMode(schema: JsonObject): boolean {
  const count = { properties: 0, enumValues: 0 };
  if (schema.type !== 'object' || schema.anyOf !== undefined || !fits(schema, 0, count)) return false;
  return count.properties <= MAX_PROPERTIES && count.enumValues <= MAX_ENUM_VALUES;
}

interface Count {
  properties: number;
  enumValues: number;
}

function fits(value: JsonValue | undefined, depth: number, count: Count): boolean {
  if (!isObject(value) || depth > MAX_DEPTH || !Object.keys(value).every((key) => KEYWORDS.has(key))) return false;
  if (typeof value.format === 'string' && !FORMATS.has(value.format)) return false;
  // Lookarounds are refused.
  if (typeof value.pattern === 'string' && /\(\?<?[=!]/.test(value.pattern)) return false;
  if (Array.isArray(value.enum)) count.enumValues += value.enum.length;
  const below = [value.items, ...(Array.isArray(value.anyOf) ? value.anyOf : [])].filter((part) => part !== undefined);
  const named = isObject(value.$defs) ? Object.values(value.$defs) : [];
  return below.every((part) => fits(part, depth, count)) && named.every((part) => fits(part, 0, count)) && fitsAsObject(value, depth, count);
}

function fitsAsObject(schema: JsonObject, depth: number, count: Count): boolean {
  const isObjectType = schema.type === 'object' || (Array.isArray(schema.type) && schema.type.includes('object'));
  if (!isObjectType) return schema.properties === undefined;
  const properties = isObject(schema.properties) ? schema.properties : {};
  const names = Object.keys(properties);
  count.properties += names.length;
  const required = Array.isArray(schema.required) ? schema.required : [];
  if (schema.additionalProperties !== false || !names.every((name) => required.includes(name))) return false;
  return names.every((name) => fits(properties[name], depth + 1, count));
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
