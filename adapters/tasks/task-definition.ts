import { z } from 'zod';
import { gatePolicySchema } from '../../contracts/approval.ts';
import type { JsonObject } from '../../contracts/json.ts';
import { type Compensation, limitsSchema, type TaskDefinition, type ToolDefinition, taskDefinitionSchema } from '../../contracts/task.ts';
import { parseUsd } from '../../domain/budget/price.ts';
import { isMcpTool, type McpToolSpec, type TaskSpec, type ToolSpec } from '../../domain/task/define.ts';
import { toOutputSchema } from './output-schema.ts';
import { parametersProblem } from './tools-file.ts';

/** Something of a task in TypeScript that has no form as data. */
export interface ConversionProblem {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

export type ConvertedTask =
  | { readonly type: 'task'; readonly definition: TaskDefinition }
  | { readonly type: 'problems'; readonly problems: readonly ConversionProblem[] };

/** A validated task in TypeScript as data: zod becomes JSON Schema, USD becomes nano-USD, defaults are filled in. */
export function toTaskDefinition(spec: TaskSpec): ConvertedTask {
  const problems: ConversionProblem[] = [];
  const tools = (spec.tools ?? []).map((tool, index): ToolDefinition | null => {
    if (isMcpTool(tool)) return mcpToolDefinition(tool);
    const parameters = toParameters(tool.parameters);
    if (typeof parameters !== 'string') return toToolDefinition(tool, parameters);
    problems.push({ path: ['tools', index, 'parameters'], message: parameters });
    return null;
  });
  const outputSchema = spec.output && toOutputSchema(spec.output);
  if (typeof outputSchema === 'string') problems.push({ path: ['output'], message: outputSchema });
  if (problems.length > 0) return { type: 'problems', problems };
  const { irreversible, budget, inDoubt, unavailable } = spec.gates ?? {};
  const definition = taskDefinitionSchema.safeParse({
    version: 1,
    name: spec.name,
    ...present({ workflow: spec.workflow }),
    prompt: spec.prompt,
    models: spec.models.map((model) => ({ model })),
    maxOutputTokens: spec.maxOutputTokens,
    budgetLimitNanoUsd: parseUsd(String(spec.budgetUsd)),
    ...present({ onBudgetExhausted: spec.onBudgetExhausted, raiseByNanoUsd: spec.raiseByUsd === undefined ? undefined : parseUsd(String(spec.raiseByUsd)) }),
    tools,
    ...present({ outputSchema }),
    gates: {
      irreversible: gatePolicySchema.parse(irreversible ?? {}),
      ...present({
        budget: budget && gatePolicySchema.parse(budget),
        inDoubt: inDoubt && gatePolicySchema.parse(inDoubt),
        unavailable: unavailable && gatePolicySchema.parse(unavailable),
      }),
    },
    ...present({ budgetLimitTokens: spec.budgetTokens, raiseByTokens: spec.raiseByTokens, onQuotaDenied: spec.onQuotaDenied }),
    ...present({ onModelsUnavailable: spec.onModelsUnavailable, unavailableMessage: spec.unavailableMessage }),
    ...present({ onDenied: spec.onDenied, onExpired: spec.onExpired, providerStorage: spec.providerStorage, redaction: spec.redaction }),
    ...present({ onFailure: spec.onFailure, compensateOn: spec.compensateOn }),
    limits: limitsSchema.parse(spec.limits ?? {}),
  });
  if (definition.success) return { type: 'task', definition: definition.data };
  return { type: 'problems', problems: definition.error.issues.map(({ path, message }) => ({ path, message: `${message}.` })) };
}

function toToolDefinition(tool: ToolSpec, parameters: JsonObject): ToolDefinition {
  return {
    name: tool.name,
    version: tool.version ?? '1',
    description: tool.description,
    parameters,
    effect: tool.effect,
    binding: { type: 'function' },
    volatileArguments: [...(tool.volatileArguments ?? [])],
    ...(tool.needs ? { needs: [...tool.needs] } : {}),
    ...(tool.compensate ? { compensate: compensationOf(tool.compensate) } : {}),
    ...(tool.local ? { local: true } : {}),
    ...(tool.gate ? { gate: gatePolicySchema.parse(tool.gate) } : {}),
  };
}

/** A function stays on the worker, under the tool's pinned version. */
function compensationOf(compensate: NonNullable<ToolSpec['compensate']>): Compensation {
  return 'arguments' in compensate ? { tool: compensate.tool, arguments: { ...compensate.arguments } } : { tool: compensate.tool };
}

/** Without description and parameters, which the server has. */
function mcpToolDefinition({ name, version, effect, gate, volatileArguments, needs, local, compensate, ...tool }: McpToolSpec): ToolDefinition {
  const { server, tool: toolName, schemaDigest, errorMeans } = tool;
  return {
    name,
    version: version ?? '1',
    description: '',
    parameters: {},
    effect: effect ?? 'irreversible',
    binding: { type: 'mcp', server, tool: toolName, ...present({ schemaDigest, errorMeans }) },
    volatileArguments: [...(volatileArguments ?? [])],
    ...(needs ? { needs: [...needs] } : {}),
    ...(compensate ? { compensate: compensationOf(compensate) } : {}),
    ...(local ? { local: true } : {}),
    ...(gate ? { gate: gatePolicySchema.parse(gate) } : {}),
  };
}

/** The JSON Schema of what a caller may send; a sentence where there is none. */
function toParameters(schema: z.ZodType): JsonObject | string {
  try {
    const { $schema: _dialect, ...parameters } = z.toJSONSchema(schema, { io: 'input' }) as Record<string, unknown>;
    return parametersProblem(parameters as JsonObject) ?? (parameters as JsonObject);
  } catch (error) {
    return `this zod schema has no JSON Schema form: ${(error as Error).message}. Use what JSON can carry: strings, numbers, booleans, arrays, objects.`;
  }
}

function present<Fields extends Record<string, unknown>>(fields: Fields): Partial<Fields> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<Fields>;
}
