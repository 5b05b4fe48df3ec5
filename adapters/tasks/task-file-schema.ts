import { z } from 'zod';
import { candidateSchema, limitsSchema, taskDefinitionSchema } from '../../contracts/task.ts';
import { parseUsd } from '../../domain/budget/price.ts';
import { duration, GATE_FILE_GUIDE, gateFileSchema } from './gate-schema.ts';
import { nested, TASK_REDACTION_GUIDE } from './redaction-guide.ts';
import type { FieldGuide } from './schema-mistakes.ts';

const usd = z.unknown().transform((value, context) => {
  const amount = typeof value === 'number' || typeof value === 'string' ? parseUsd(String(value)) : null;
  if (amount !== null) return amount;
  context.addIssue({ code: 'invalid_type', expected: 'number', input: value });
  return z.NEVER;
});

const limits = limitsSchema.shape;
const limitsFileSchema = z.strictObject({
  maxSteps: limits.maxSteps.unwrap().optional(),
  maxToolCallsPerStep: limits.maxToolCallsPerStep.unwrap().optional(),
  maxPendingApprovals: limits.maxPendingApprovals.unwrap().optional(),
  maxTriesPerGate: limits.maxTriesPerGate.unwrap().optional(),
  maxAttemptsPerStep: limits.maxAttemptsPerStep.unwrap().optional(),
  maxOutputCorrections: limits.maxOutputCorrections,
  maxToolResultBytes: limits.maxToolResultBytes.unwrap().optional(),
  maxMessageBytes: limits.maxMessageBytes.unwrap().optional(),
  maxMessages: limits.maxMessages.unwrap().optional(),
  maxPendingMessages: limits.maxPendingMessages.unwrap().optional(),
  modelTimeout: duration.pipe(limits.modelTimeoutMs.unwrap()).optional(),
  toolTimeout: duration.pipe(limits.toolTimeoutMs.unwrap()).optional(),
  maxRetryWait: duration.pipe(limits.maxRetryWaitMs.unwrap()).optional(),
  maxQuotaWait: duration.pipe(limits.maxQuotaWaitMs.unwrap()).optional(),
  maxUnavailableWait: duration.pipe(limits.maxUnavailableWaitMs.unwrap()).optional(),
  maxDuration: duration.pipe(limits.maxDurationMs.unwrap()).optional(),
  maxHistoryEvents: limits.maxHistoryEvents.unwrap().optional(),
});

const bindingFileSchema = z
  .strictObject({
    recorded: z.string().min(1).optional(),
    http: z.url({ protocol: /^https?$/ }).optional(),
    secretHeaders: z.record(z.string(), z.string()).optional(),
    timeout: duration.pipe(z.int().min(100).max(600_000)).optional(),
    mcp: z.strictObject({ server: z.string().min(1).max(64), tool: z.string().min(1).max(256).optional() }).optional(),
  })
  .superRefine((binding, context) => {
    if ([binding.recorded, binding.http, binding.mcp].filter((place) => place !== undefined).length !== 1)
      context.addIssue({
        code: 'custom',
        message: 'a binding says exactly one of "recorded" (a file of results), "http" (an address) and "mcp" (a server of the configuration).',
      });
    else if (binding.http === undefined && (binding.secretHeaders ?? binding.timeout) !== undefined)
      context.addIssue({ code: 'custom', message: '"secretHeaders" and "timeout" belong to an "http" binding.' });
  });

const task = taskDefinitionSchema.shape;
/** `task.yaml` as people write it. No unions, so that every mistake names its own place. */
export const taskFileSchema = z.strictObject({
  name: task.name,
  prompt: z.string().min(1),
  models: z
    .array(z.preprocess((value) => (typeof value === 'string' ? { model: value } : value), candidateSchema))
    .min(1)
    .max(8),
  maxOutputTokens: task.maxOutputTokens,
  budgetUsd: usd,
  maxSteps: limits.maxSteps.unwrap().optional(),
  onBudgetExhausted: task.onBudgetExhausted,
  raiseByUsd: usd.optional(),
  budgetTokens: task.budgetLimitTokens,
  raiseByTokens: task.raiseByTokens,
  onQuotaDenied: task.onQuotaDenied,
  onModelsUnavailable: task.onModelsUnavailable,
  unavailableMessage: task.unavailableMessage,
  tools: z
    .array(z.strictObject({ from: z.string().min(1), bind: bindingFileSchema }))
    .max(32)
    .default([]),
  output: z.string().min(1).optional(),
  gates: z
    .strictObject({
      irreversible: gateFileSchema.optional(),
      budget: gateFileSchema.optional(),
      inDoubt: gateFileSchema.optional(),
      unavailable: gateFileSchema.optional(),
    })
    .default({}),
  onDenied: task.onDenied,
  onExpired: task.onExpired,
  providerStorage: task.providerStorage,
  onFailure: task.onFailure,
  compensateOn: task.compensateOn,
  redaction: task.redaction,
  limits: limitsFileSchema.default({}),
});
export type TaskFile = z.infer<typeof taskFileSchema>;

export const TASK_FILE_GUIDE: FieldGuide = {
  name: 'a name of letters, digits, "_", "." and "-", at most 100, such as retail-support',
  prompt: 'the path of a text file with the system prompt, such as ./policy.md',
  models: 'a list of 1 to 8 models, best first, such as [gpt-5-mini, gpt-5-nano]',
  'models.*': 'the name of a model, or {model, price}',
  'models.*.model': 'the name of a model, such as gpt-5-mini',
  'models.*.price': 'a price in USD per million tokens: {inputUsdPerMillion, cachedInputUsdPerMillion, outputUsdPerMillion}',
  'models.*.price.inputUsdPerMillion': 'a number of USD per million input tokens',
  'models.*.price.cachedInputUsdPerMillion': 'a number of USD per million cached input tokens',
  'models.*.price.cacheWriteUsdPerMillion': 'a number of USD per million input tokens written to the cache',
  'models.*.price.outputUsdPerMillion': 'a number of USD per million output tokens',
  maxOutputTokens: 'a whole number of tokens, 1 to 200000, such as 1024',
  budgetUsd: 'an amount in USD with at most nine decimal places, such as 0.25',
  maxSteps: 'a whole number, 1 to 10000',
  onBudgetExhausted: 'ask, wrapUp or fail',
  raiseByUsd: 'an amount in USD with at most nine decimal places, such as 0.10',
  budgetTokens: 'a whole number of tokens, such as 200000',
  raiseByTokens: 'a whole number of tokens, such as 50000',
  onQuotaDenied: 'wait or fail',
  onModelsUnavailable: 'fail, message, person or wait',
  unavailableMessage: 'a text of 1 to 2000 characters',
  tools: 'a list of {from, bind}',
  'tools.*': '{from: ./tools.json, bind: {recorded: ./results.jsonl}}',
  'tools.*.from': 'the path of a JSON file with OpenAI function schemas, such as ./tools.json',
  'tools.*.bind': '{recorded: ./results.jsonl}, {http: https://…} or {mcp: {server: shop}}',
  'tools.*.bind.recorded': 'the path of a file of recorded results, such as ./results.jsonl',
  'tools.*.bind.http': 'an address that starts with https:// or http://',
  'tools.*.bind.secretHeaders': 'header names with the names of secrets, such as {Authorization: SHOP_TOKEN}; never a value',
  'tools.*.bind.timeout': 'a duration from 100ms to 10m, such as 15s',
  'tools.*.bind.mcp': '{server, tool}, such as {server: shop}',
  'tools.*.bind.mcp.server': 'the name of an MCP server in "mcpServers" of tollgate.config.ts',
  'tools.*.bind.mcp.tool': 'the name of the tool at the server, where it is not the name in the file; for a file with one tool',
  output: 'the path of a JSON Schema that the answer must fit, such as ./output.schema.json',
  gates: '{irreversible: {approvers, role, expiresAfter}}',
  'gates.irreversible': '{approvers: 1, role: support-lead, expiresAfter: 24h}',
  'gates.budget': '{approvers: 1, role: support-lead, expiresAfter: 24h}',
  'gates.inDoubt': '{approvers: 1, role: support-lead, expiresAfter: 24h}',
  'gates.unavailable': '{approvers: 1, role: support-lead, expiresAfter: 24h}',
  ...nested('gates.irreversible', GATE_FILE_GUIDE),
  ...nested('gates.budget', GATE_FILE_GUIDE),
  ...nested('gates.inDoubt', GATE_FILE_GUIDE),
  ...nested('gates.unavailable', GATE_FILE_GUIDE),
  onDenied: 'tellModel or endRun',
  onExpired: 'tellModel or endRun',
  providerStorage: 'allowed or forbidden',
  onFailure: 'keep or compensate',
  compensateOn: 'a list of failed, denied, expired, cancelled and budgetExhausted',
  'compensateOn.*': 'failed, denied, expired, cancelled or budgetExhausted',
  ...TASK_REDACTION_GUIDE,
  limits: 'limits by name, such as {maxToolCallsPerStep: 8}',
  'limits.maxSteps': 'a whole number, 1 to 10000',
  'limits.maxToolCallsPerStep': 'a whole number, 1 to 64',
  'limits.maxPendingApprovals': 'a whole number, 1 to 32',
  'limits.maxTriesPerGate': 'a whole number, 1 to 1000',
  'limits.maxAttemptsPerStep': 'a whole number, 1 to 50',
  'limits.maxOutputCorrections': 'a whole number, 0 to 20',
  'limits.maxToolResultBytes': 'a whole number of bytes, 256 to 1000000',
  'limits.maxMessageBytes': 'a whole number of bytes, 256 to 262144',
  'limits.maxMessages': 'a whole number, 0 to 1000',
  'limits.maxPendingMessages': 'a whole number, 1 to 64',
  'limits.modelTimeout': 'a duration from 100ms to 60m, such as 2m',
  'limits.toolTimeout': 'a duration from 100ms to 10m, such as 30s',
  'limits.maxRetryWait': 'a duration up to 60m, such as 5m',
  'limits.maxQuotaWait': 'a duration up to 24h, such as 5m',
  'limits.maxUnavailableWait': 'a duration up to 24h, such as 1h',
  'limits.maxDuration': 'a duration from 1s to 365d, such as 30m',
  'limits.maxHistoryEvents': 'a whole number, 50 to 40000',
};
