import { z } from 'zod';
import type { JsonObject } from '../../contracts/json.ts';
import {
  effectSchema,
  jsonObjectSchema,
  refuseLocal,
  sha256Schema,
  type ToolBinding,
  type ToolDefinition,
  toolDefinitionSchema,
  unpinnedEffect,
} from '../../contracts/task.ts';
import type { Mistake } from './mistakes.ts';
import { type FieldGuide, schemaMistakes } from './schema-mistakes.ts';
import { parseJson, type SourceFile } from './source-file.ts';

const tool = toolDefinitionSchema.shape;
const toolFileSchema = z.array(
  z
    .strictObject({
      type: z.literal('function'),
      function: z.strictObject({
        name: tool.name,
        description: tool.description,
        parameters: jsonObjectSchema.default({ type: 'object', properties: {} }),
        strict: z.boolean().nullish(),
      }),
      effect: effectSchema.default('irreversible'),
      version: tool.version,
      volatileArguments: tool.volatileArguments,
      needs: tool.needs,
      compensate: tool.compensate,
      local: z.boolean().optional(),
      schemaDigest: sha256Schema.optional(),
      errorMeans: z.enum(['unknown', 'notDone']).optional(),
    })
    .superRefine(refuseLocal),
);

const GUIDE: FieldGuide = {
  '*': '{type: "function", function: {name, description, parameters}, effect}',
  '*.type': '"function"',
  '*.function': '{name, description, parameters}',
  '*.function.name': 'a function name of letters, digits, "_" and "-", at most 64',
  '*.function.description': 'a text of at most 8000 characters',
  '*.function.parameters': 'a JSON Schema of type "object"',
  '*.function.strict': 'true or false',
  '*.effect': '"read", "write" (repeatable with an idempotency key) or "irreversible"',
  '*.version': 'a text such as "1"',
  '*.volatileArguments': 'a list of argument names',
  '*.needs': 'a list of types of values that the tool gets instead of their tokens, such as ["email"]',
  '*.compensate': '{tool: "cancel_booking", arguments: {bookingId: {from: "result.id"}}}',
  '*.compensate.tool': 'the name of another tool of the task',
  '*.compensate.arguments': 'by argument of that tool: {from: "arguments.orderId"}, {from: "result.id"} or {value: "…"}',
  '*.compensate.arguments.*': '{from: "arguments.orderId"}, {from: "result.id"} or {value: "…"}',
  '*.compensate.arguments.*.from': 'a place such as "arguments.orderId" or "result.booking.id"',
  '*.schemaDigest': 'the digest of an MCP tool, 64 hex digits, as "tollgate mcp list <server>" prints it',
  '*.errorMeans': '"unknown" or "notDone"',
  '*.local': 'true (a short read, carried out within the workflow task) or false',
};

export interface ToolsFile {
  readonly tools: readonly ToolDefinition[];
  readonly mistakes: readonly Mistake[];
}

/** What a task file says of where its tools are. An MCP tool has the name in the file, unless the binding has another. */
export type GroupBinding = Exclude<ToolBinding, { type: 'mcp' }> | { readonly type: 'mcp'; readonly server: string; readonly tool?: string | undefined };

/** Reads OpenAI function schemas, each with an effect. A tool that says none is treated as irreversible. */
export function parseToolsFile(place: string, text: string, binding: GroupBinding): ToolsFile {
  const file = parseJson(place, text);
  if ('mistakes' in file) return { tools: [], mistakes: file.mistakes };
  const parsed = toolFileSchema.safeParse(file.value);
  const mistakes = parsed.success ? [] : schemaMistakes(parsed.error, file.value, GUIDE).map((found) => at(file, found.path, found.message, found.key));
  mistakes.push(...schemaProblems(file));
  if (parsed.success) mistakes.push(...bindingProblems(file, parsed.data, binding));
  if (!parsed.success || mistakes.length > 0) return { tools: [], mistakes };
  const tools = parsed.data.map(
    (entry): ToolDefinition => ({
      name: entry.function.name,
      version: entry.version,
      description: entry.function.description,
      parameters: entry.function.parameters,
      effect: entry.effect,
      binding: bindingOf(entry, binding),
      volatileArguments: entry.volatileArguments,
      ...(entry.needs ? { needs: entry.needs } : {}),
      ...(entry.compensate ? { compensate: entry.compensate } : {}),
      ...(entry.local ? { local: true } : {}),
    }),
  );
  return { tools, mistakes: [] };
}

type ToolEntry = z.infer<typeof toolFileSchema>[number];

function bindingOf({ function: { name }, schemaDigest, errorMeans }: ToolEntry, binding: GroupBinding): ToolBinding {
  if (binding.type !== 'mcp') return binding;
  return {
    type: 'mcp',
    server: binding.server,
    tool: binding.tool ?? name,
    ...(schemaDigest === undefined ? {} : { schemaDigest }),
    ...(errorMeans === undefined ? {} : { errorMeans }),
  };
}

function bindingProblems(file: SourceFile, entries: readonly ToolEntry[], binding: GroupBinding): Mistake[] {
  if (binding.type === 'mcp' && binding.tool !== undefined && entries.length > 1)
    return [at(file, [], `bind.mcp.tool names one tool, and this file has ${entries.length}. Give each its own file, or its name at the server.`)];
  return entries.flatMap(({ effect, schemaDigest, errorMeans }, index) => {
    if (binding.type !== 'mcp')
      return (schemaDigest ?? errorMeans) === undefined ? [] : [at(file, [index], '"schemaDigest" and "errorMeans" belong to tools with an "mcp" binding.')];
    return effect === 'irreversible' || schemaDigest !== undefined ? [] : [at(file, [index, 'effect'], `effect: ${unpinnedEffect(effect, binding.server)}.`)];
  });
}

function schemaProblems(file: SourceFile): Mistake[] {
  if (!Array.isArray(file.value)) return [];
  return file.value.flatMap((entry: unknown, index) => {
    const parameters = (entry as { function?: { parameters?: unknown } } | null)?.function?.parameters;
    if (typeof parameters !== 'object' || parameters === null) return [];
    const problem = parametersProblem(parameters as JsonObject);
    return problem ? [at(file, [index, 'function', 'parameters'], `parameters: ${problem}`)] : [];
  });
}

/** What keeps a JSON Schema from being one that arguments can be checked against. Null where nothing does. */
export function parametersProblem(parameters: JsonObject): string | null {
  if (parameters.type !== 'object')
    return `expected a JSON Schema of type "object", saw type ${JSON.stringify(parameters.type) ?? 'nothing'}. Arguments of a tool are one object.`;
  try {
    z.fromJSONSchema(parameters as Parameters<typeof z.fromJSONSchema>[0]);
    return null;
  } catch (error) {
    return `arguments can't be checked against this JSON Schema: ${(error as Error).message}. Write it with type, properties, required, enum, items, anyOf.`;
  }
}

function at(file: SourceFile, path: readonly PropertyKey[], message: string, key?: string): Mistake {
  return { place: file.place, ...file.locate(path, key), message };
}
