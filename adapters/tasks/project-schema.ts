import { z } from 'zod';
import { channelsSchema } from '../../contracts/notification.ts';
import {
  candidateSchema,
  compensationSchema,
  effectSchema,
  limitsSchema,
  refuseLocal,
  taskDefinitionSchema,
  toolDefinitionSchema,
} from '../../contracts/task.ts';
import { redactionSettingsSchema } from '../../contracts/redaction.ts';
import { parseUsd } from '../../domain/budget/price.ts';
import { MAX_QUOTAS } from '../../domain/quota/quota.ts';
import { readQuota } from '../../domain/quota/quota-spec.ts';
import { GATE_SPEC_GUIDE, gateSpecSchema as gate } from './gate-schema.ts';
import { MCP_SERVERS_GUIDE, MCP_TOOL_GUIDE, mcpServersSchema, mcpToolSpecSchema } from './mcp-schema.ts';
import { nested, REDACTION_GUIDE, TASK_REDACTION_GUIDE } from './redaction-guide.ts';
import type { FieldGuide } from './schema-mistakes.ts';

const usd = z.union([z.number(), z.string()]).refine((value) => parseUsd(String(value)) !== null, { error: 'invalid amount' });
const isZod = (value: unknown): boolean => typeof (value as { safeParse?: unknown } | null)?.safeParse === 'function';
const zodSchema = z.custom<z.ZodType>(isZod);
const callable = z.custom<(...values: never[]) => unknown>((value) => typeof value === 'function');

const tool = toolDefinitionSchema.shape;
const functionToolSchema = z
  .strictObject({
    type: z.undefined().optional(),
    name: tool.name,
    version: tool.version.unwrap().optional(),
    description: tool.description.unwrap(),
    parameters: zodSchema,
    effect: effectSchema,
    destination: z.string().min(1).max(500).optional(),
    volatileArguments: tool.volatileArguments.unwrap().optional(),
    gate: gate.optional(),
    needs: tool.needs,
    compensate: z
      .strictObject({ tool: z.string().min(1).max(64), arguments: compensationSchema.shape.arguments, argumentsFrom: callable.optional() })
      .superRefine((given, context) => {
        if ((given.arguments === undefined) === (given.argumentsFrom === undefined))
          context.addIssue({
            code: 'custom',
            message: 'a compensation says exactly one of "arguments" and "argumentsFrom" (a function of arguments and result).',
          });
      })
      .optional(),
    local: z.boolean().optional(),
    execute: callable,
    reconcile: callable.optional(),
  })
  .superRefine(refuseLocal);
const toolSpecSchema = z.discriminatedUnion('type', [functionToolSchema, mcpToolSpecSchema(gate)]);

const task = taskDefinitionSchema.shape;
const taskSpecSchema = z.strictObject({
  name: task.name,
  workflow: task.workflow,
  prompt: task.prompt.min(1),
  models: z.array(z.string().min(1).max(200)).min(1).max(8),
  maxOutputTokens: task.maxOutputTokens,
  budgetUsd: usd,
  onBudgetExhausted: task.onBudgetExhausted.unwrap().optional(),
  raiseByUsd: usd.optional(),
  budgetTokens: task.budgetLimitTokens,
  raiseByTokens: task.raiseByTokens,
  onQuotaDenied: task.onQuotaDenied,
  onModelsUnavailable: task.onModelsUnavailable,
  unavailableMessage: task.unavailableMessage,
  tools: z.array(toolSpecSchema).max(128).optional(),
  gates: z.strictObject({ irreversible: gate.optional(), budget: gate.optional(), inDoubt: gate.optional(), unavailable: gate.optional() }).optional(),
  onDenied: task.onDenied.unwrap().optional(),
  onExpired: task.onExpired.unwrap().optional(),
  providerStorage: task.providerStorage.unwrap().optional(),
  onFailure: task.onFailure,
  compensateOn: task.compensateOn,
  redaction: task.redaction,
  limits: z.strictObject(Object.fromEntries(Object.entries(limitsSchema.shape).map(([name, limit]) => [name, limit.unwrap().optional()]))).optional(),
  input: zodSchema.optional(),
  output: zodSchema.optional(),
});

const api = z.enum(['chat', 'responses']);
const modelSpecSchema = z.strictObject({
  model: z.string().min(1).max(200),
  wireModel: z.string().min(1).max(200).optional(),
  endpoint: z.string().min(1).max(100).optional(),
  api: api.optional(),
  background: z.boolean().optional(),
  stream: z.boolean().optional(),
  structuredOutput: z.boolean().optional(),
  contextWindow: z.int().min(1).max(1_000_000_000).optional(),
  price: candidateSchema.shape.price,
  tokenizer: z.enum(['o200k_base', 'cl100k_base']).optional(),
});

const endpointSpecSchema = z.strictObject({
  baseUrl: z.url({ protocol: /^https?$/ }),
  provider: z.string().min(1).max(100),
  apiKeyVariable: z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_]*$/)
    .optional(),
  headers: z.record(z.string(), z.string()).optional(),
  secretHeaders: z.record(z.string(), z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/)).optional(),
  gateway: z.enum(['litellm', 'helicone', 'openrouter', 'none']).optional(),
  api: api.optional(),
  background: z.boolean().optional(),
  stream: z.boolean().optional(),
  structuredOutput: z.boolean().optional(),
  records: z.enum(['openai', 'litellm', 'openrouter', 'none']).optional(),
  streamIdleTimeoutMs: z.int().min(100).max(3_600_000).optional(),
});

const quotaSpecSchema = z
  .strictObject({
    tenant: z.string().optional(),
    feature: z.string().optional(),
    per: z.enum(['minute', 'day', 'month']),
    usd: usd.optional(),
    tokens: z.int().optional(),
  })
  .superRefine((quota, context) => {
    const read = readQuota(quota);
    if (read.type === 'problem') context.addIssue({ code: 'custom', message: read.message });
  });

const variable = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/);
const sinkSpecSchema = z.strictObject({
  type: z.enum(['otlp', 'langsmith', 'weave', 'phoenix', 'braintrust', 'langfuse', 'helicone']),
  url: z.url({ protocol: /^https?$/ }).optional(),
  keyVariable: variable.optional(),
  publicKeyVariable: variable.optional(),
  secretHeaders: z.record(z.string(), variable).optional(),
  project: z.string().min(1).max(200).optional(),
  attributes: z.record(z.string(), z.string()).optional(),
  content: z.boolean().optional(),
});

/** What `tollgate.config.ts` may export, checked as a whole. */
export const projectSpecSchema = z.strictObject({
  tasks: z.array(taskSpecSchema).max(1_000),
  workflows: z.string().min(1).optional(),
  models: z.array(modelSpecSchema).max(1_000).optional(),
  endpoints: z.record(z.string().min(1).max(100), endpointSpecSchema).optional(),
  prices: z.string().min(1).max(1_000).optional(),
  mcpServers: mcpServersSchema.optional(),
  quotas: z.array(quotaSpecSchema).max(MAX_QUOTAS).optional(),
  traceSinks: z.record(z.string().regex(/^[A-Za-z0-9_-]{1,40}$/), sinkSpecSchema).optional(),
  redaction: redactionSettingsSchema.optional(),
  notifications: channelsSchema.optional(),
});

const TOOL: FieldGuide = {
  type: '"mcp", as mcpTool({…}) makes it, or nothing',
  ...MCP_TOOL_GUIDE,
  name: 'a function name of letters, digits, "_" and "-", at most 64',
  version: 'a text such as "1"',
  description: 'a text of at most 8000 characters',
  parameters: 'a zod object: z.object({…})',
  effect: '"read", "write" (repeatable with an idempotency key) or "irreversible"',
  destination: 'a text of at most 500 characters',
  volatileArguments: 'a list of argument names',
  needs: 'a list of types of values, such as ["email"]',
  compensate: '{tool: "cancel_booking", arguments: {bookingId: {from: "result.id"}}}',
  'compensate.tool': 'the name of another tool of the task',
  'compensate.arguments': 'by argument of that tool: {from: "arguments.orderId"}, {from: "result.id"} or {value: "…"}',
  'compensate.arguments.*': '{from: "arguments.orderId"}, {from: "result.id"} or {value: "…"}',
  'compensate.arguments.*.from': 'a place such as "arguments.orderId" or "result.booking.id"',
  'compensate.argumentsFrom': 'a function (args, result) that returns the arguments',
  ...nested('gate', GATE_SPEC_GUIDE),
  gate: '{approvers, role, expiresAfterMs}',
  local: 'true or false',
  execute: 'an async function (args, context) that returns JSON',
  reconcile: 'an async function (args, context) that answers {type: "done" | "notDone" | "unknown"}',
};

const TASK: FieldGuide = {
  name: 'a name of letters, digits, "_", "." and "-", at most 100',
  workflow: 'the name of a function that the module "workflows" exports',
  prompt: 'the system prompt, a text of 1 to 200000 characters',
  models: 'a list of 1 to 8 model names, best first',
  'models.*': 'the name of a model, such as "gpt-5-mini"',
  maxOutputTokens: 'a whole number of tokens, 1 to 200000',
  budgetUsd: 'an amount in USD with at most nine decimal places, such as 0.25',
  onBudgetExhausted: '"ask", "wrapUp" or "fail"',
  raiseByUsd: 'an amount in USD with at most nine decimal places',
  budgetTokens: 'a whole number of tokens, such as 200000',
  raiseByTokens: 'a whole number of tokens, such as 50000',
  onQuotaDenied: '"wait" or "fail"',
  onModelsUnavailable: '"fail", "message", "person" or "wait"',
  unavailableMessage: 'a text of 1 to 2000 characters',
  tools: 'a list of tools made by defineTool({…}) or mcpTool({…})',
  'tools.*': 'a tool made by defineTool({…}) or mcpTool({…})',
  ...nested('tools.*', TOOL),
  gates: '{irreversible: {approvers, role, expiresAfterMs}}',
  ...nested('gates.irreversible', GATE_SPEC_GUIDE),
  ...nested('gates.budget', GATE_SPEC_GUIDE),
  ...nested('gates.inDoubt', GATE_SPEC_GUIDE),
  ...nested('gates.unavailable', GATE_SPEC_GUIDE),
  onDenied: '"tellModel" or "endRun"',
  onExpired: '"tellModel" or "endRun"',
  providerStorage: '"allowed" or "forbidden"',
  onFailure: '"keep" or "compensate"',
  compensateOn: 'a list of "failed", "denied", "expired", "cancelled" and "budgetExhausted"',
  'compensateOn.*': '"failed", "denied", "expired", "cancelled" or "budgetExhausted"',
  ...TASK_REDACTION_GUIDE,
  limits: 'limits by name, such as {maxSteps: 30}',
  ...Object.fromEntries(
    Object.keys(limitsSchema.shape).map((name) => [`limits.${name}`, `a whole number within the bounds of ${name} (see limitsSchema in contracts/task.ts)`]),
  ),
  input: 'a zod object: z.object({message: z.string()})',
  output: 'a zod object: z.object({…})',
};

export const PROJECT_GUIDE: FieldGuide = {
  tasks: 'a list of tasks made by defineTask({…})',
  'tasks.*': 'a task made by defineTask({…})',
  ...nested('tasks.*', TASK),
  workflows: 'the path of a module, such as ./workflows.ts',
  models: 'a list of {model, endpoint, price}',
  'models.*.model': 'the name of a model',
  'models.*.wireModel': 'the name that is sent to the endpoint',
  'models.*.endpoint': 'a name of "endpoints"',
  'models.*.api': '"chat" or "responses"',
  'models.*.background': 'true or false',
  'models.*.stream': 'true or false',
  'models.*.structuredOutput': 'true or false',
  'models.*.tokenizer': '"o200k_base" or "cl100k_base"',
  'models.*.contextWindow': 'a whole number of tokens, such as 128000',
  'models.*.price': '{inputUsdPerMillion, cachedInputUsdPerMillion, outputUsdPerMillion}',
  'models.*.price.inputUsdPerMillion': 'a number of USD per million input tokens',
  'models.*.price.cachedInputUsdPerMillion': 'a number of USD per million cached input tokens',
  'models.*.price.cacheWriteUsdPerMillion': 'a number of USD per million input tokens written to the cache',
  'models.*.price.outputUsdPerMillion': 'a number of USD per million output tokens',
  prices: 'the path of a price file, such as ./tollgate.prices.json',
  endpoints: 'endpoints by name: {gateway: {baseUrl, provider}}',
  'endpoints.*': '{baseUrl, provider, apiKeyVariable}',
  'endpoints.*.baseUrl': 'an address that starts with https:// or http://',
  'endpoints.*.provider': 'who runs it, as genai-prices names providers, such as "openai"',
  'endpoints.*.apiKeyVariable': 'the name of an environment variable, such as GATEWAY_API_KEY; never the key itself',
  'endpoints.*.headers': 'header names with their values',
  'endpoints.*.secretHeaders': 'header names with the names of environment variables',
  'endpoints.*.gateway': '"litellm", "helicone", "openrouter" or "none"',
  'endpoints.*.api': '"chat" or "responses"',
  'endpoints.*.background': 'true or false',
  'endpoints.*.stream': 'true or false',
  'endpoints.*.streamIdleTimeoutMs': 'milliseconds, 100 to 3600000 (an hour)',
  'endpoints.*.structuredOutput': 'true or false',
  'endpoints.*.records': '"openai", "litellm", "openrouter" or "none"',
  ...MCP_SERVERS_GUIDE,
  notifications: 'a list of {type: "webhook", name, url, secret}, {type: "slack", name, url} or {type: "email", name, to, from, host, port}',
  quotas: 'a list of {tenant, feature, per, usd or tokens}',
  'quotas.*': '{tenant: "acme", per: "day", usd: 5}',
  'quotas.*.tenant': 'the name of a tenant, or "*" for each of them by itself',
  'quotas.*.feature': 'the name of a feature',
  'quotas.*.per': '"minute", "day" or "month"',
  'quotas.*.usd': 'an amount in USD with at most nine decimal places, such as 5',
  'quotas.*.tokens': 'a whole number of tokens, such as 200000',
  ...REDACTION_GUIDE,
  traceSinks: 'sinks by name: {ours: {type: "otlp", url}}',
  'traceSinks.*': '{type, url, keyVariable, project}',
  'traceSinks.*.type': '"otlp", "langsmith", "weave", "phoenix", "braintrust", "langfuse" or "helicone"',
  'traceSinks.*.url': 'an address that starts with https:// or http://',
  'traceSinks.*.keyVariable': 'the name of an environment variable, such as LANGFUSE_SECRET_KEY; never the key itself',
  'traceSinks.*.publicKeyVariable': 'the name of an environment variable',
  'traceSinks.*.secretHeaders': 'header names with the names of environment variables',
  'traceSinks.*.project': 'a text such as "agents"',
  'traceSinks.*.attributes': 'names with texts',
  'traceSinks.*.content': 'true or false',
};
