import { z } from 'zod';
import { type GatePolicy, gatePolicySchema } from './approval.ts';
import type { JsonObject, JsonValue } from './json.ts';
import type { ModelApi } from './model.ts';
import type { PriceTable } from './budget.ts';
import { taskRedactionSchema } from './redaction.ts';

const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$/, 'letters, digits, "_", "." and "-", at most 100');

/** The name of an exported function. */
export const workflowName = z.string().regex(/^[A-Za-z_$][A-Za-z0-9_$]{0,99}$/, 'the name of a function that the workflows module exports');

export const effectSchema = z.enum(['read', 'write', 'irreversible']);

export const jsonObjectSchema = z.record(z.string(), z.json()) as unknown as z.ZodType<JsonObject>;

export const mcpServerNameSchema = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/, 'letters, digits, "_", "." and "-", at most 64');
export const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/, 'a SHA-256 in hex');

/** Where a tool's code is. A `recorded` binding names stored content, JSON lines of `{name, arguments, result}`. */
export const toolBindingSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('function') }),
  z.strictObject({ type: z.literal('recorded'), contentDigest: z.string() }),
  z.strictObject({
    type: z.literal('http'),
    url: z.url(),
    /** Header name to the name of a secret; the value is looked up by the worker at the moment of the call. */
    secretHeaders: z.record(z.string(), z.string()).optional(),
    timeoutMs: z.int().min(100).max(600_000).optional(),
  }),
  z.strictObject({
    type: z.literal('mcp'),
    /** Names an entry of `mcpServers` in the worker's configuration. */
    server: mcpServerNameSchema,
    /** The tool's name at the server. */
    tool: z.string().min(1).max(256),
    /** Over name, description and input schema as the server offers them. The task that a run is pinned to always has it. */
    schemaDigest: sha256Schema.optional(),
    /** What an error result of an irreversible call says: nothing certain (the default), or that nothing was done. */
    errorMeans: z.enum(['unknown', 'notDone']).optional(),
  }),
]);
export type ToolBinding = z.infer<typeof toolBindingSchema>;

/**
 * Refuses `local` for what is not a read: within a workflow task nothing outside knows that a call is under way, and only a
 * read may simply be done again.
 */
export function refuseLocal(tool: { readonly local?: boolean | undefined; readonly effect?: string | undefined }, context: z.core.$RefinementCtx): void {
  if (tool.local !== true || tool.effect === 'read') return;
  const message = `only a tool of effect "read" may be local, and this one is "${tool.effect}". Remove "local", or say effect "read" if it changes nothing.`;
  context.addIssue({ code: 'custom', path: ['local'], message, input: tool.local });
}

/** Where one argument of a compensating call comes from: a place in what was done (`arguments.orderId`, `result.booking.id`), or a fixed value. */
export const compensationSourceSchema = z
  .strictObject({
    from: z
      .string()
      .regex(/^(?:arguments|result)(?:\.[^.]{1,100}){0,16}$/, 'a place such as "arguments.orderId" or "result.booking.id"')
      .optional(),
    value: (z.json() as unknown as z.ZodType<JsonValue>).optional(),
  })
  .superRefine(({ from, value }, context) => {
    if ((from === undefined) === (value === undefined))
      context.addIssue({ code: 'custom', message: 'a source says exactly one of "from" (a place such as "result.id") and "value".' });
  });
export type CompensationSource = z.infer<typeof compensationSourceSchema>;

/** What undoes a completed action of a tool. */
export const compensationSchema = z.strictObject({
  /** Another tool of the task. */
  tool: z.string().min(1).max(64),
  /** By argument of that tool. Unset: the tool's own `argumentsFrom` in TypeScript makes them. */
  arguments: z.record(z.string().min(1).max(200), compensationSourceSchema).optional(),
});
export type Compensation = z.infer<typeof compensationSchema>;

/** Ends that are no success; a task may have what was done undone after them. */
export const failedEndSchema = z.enum(['failed', 'denied', 'expired', 'cancelled', 'budgetExhausted']);
export type FailedEnd = z.infer<typeof failedEndSchema>;

const toolFields = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, 'letters, digits, "_" and "-", at most 64 (the limit of OpenAI function names)'),
  version: z.string().min(1).max(100).default('1'),
  description: z.string().max(8_000).default(''),
  /** JSON Schema of the arguments object. Empty: that and the description are taken from the MCP server when a run is pinned. */
  parameters: jsonObjectSchema,
  /** A tool that says nothing is treated as irreversible. */
  effect: effectSchema.default('irreversible'),
  binding: toolBindingSchema,
  /** Names of top-level arguments that may differ between what was approved and what runs. Every other one binds. */
  volatileArguments: z.array(z.string()).max(64).default([]),
  gate: gatePolicySchema.optional(),
  /**
   * Types of values (`email`, a family such as `nationalId`, or `*`) that the tool gets in place of their tokens, at the moment of
   * the call. Unset: it gets the tokens.
   */
  needs: z.array(z.string().min(1).max(100)).max(64).optional(),
  /** How what the tool did is undone, where a task says `onFailure: compensate`. */
  compensate: compensationSchema.optional(),
  /** A short read, carried out within the workflow task: less history and less work for the server. See docs/local-reads.md. */
  local: z.boolean().optional(),
});

/** For people who lower the effect of an MCP tool without saying which tool they looked at. */
export function unpinnedEffect(effect: string, server: string): string {
  return `the effect "${effect}" of an MCP tool counts only with the digest of the tool that was looked at; "tollgate mcp list ${server}" prints it. Add "schemaDigest"`;
}

export const toolDefinitionSchema = toolFields.superRefine(refuseLocal).superRefine(({ effect, binding }, context) => {
  if (binding.type === 'mcp' && effect !== 'irreversible' && binding.schemaDigest === undefined)
    context.addIssue({ code: 'custom', message: unpinnedEffect(effect, binding.server) });
});
export type ToolDefinition = z.infer<typeof toolDefinitionSchema>;

/** Limits of a run, by name. Everything that grows has one. */
export const limitsSchema = z.strictObject({
  /** Model calls that count as steps, retries and fallbacks not included. */
  maxSteps: z.int().min(1).max(10_000).default(30),
  /** Tool calls carried out of one reply; the rest are answered with an error. */
  maxToolCallsPerStep: z.int().min(1).max(64).default(16),
  /** Gates of one run that may be open at once. */
  maxPendingApprovals: z.int().min(1).max(32).default(8),
  /** Decisions, refused ones included, that one gate takes. */
  maxTriesPerGate: z.int().min(1).max(1_000).default(20),
  /** Tries of models within one step. */
  maxAttemptsPerStep: z.int().min(1).max(50).default(8),
  /** Answers that break the task's output schema and are asked for again, each a step of its own. Unset: 2. */
  maxOutputCorrections: z.int().min(0).max(20).optional(),
  /** UTF-8 bytes of one tool result as the model sees it; the rest is cut off with a note. */
  maxToolResultBytes: z.int().min(256).max(1_000_000).default(65_536),
  /** UTF-8 bytes of one message from outside (the run's input, a message to the running run). */
  maxMessageBytes: z.int().min(256).max(262_144).default(131_072),
  /** Messages that people may send to one run while it goes on. */
  maxMessages: z.int().min(0).max(1_000).default(200),
  /** Of those, how many may wait for the next model call at once. */
  maxPendingMessages: z.int().min(1).max(64).default(16),
  /** Milliseconds a model call may take before the attempt is given up and its money held. */
  modelTimeoutMs: z.int().min(100).max(3_600_000).default(120_000),
  /** Milliseconds one tool call may take. */
  toolTimeoutMs: z.int().min(100).max(600_000).default(30_000),
  /** Longest single wait between tries of a model, in milliseconds. */
  maxRetryWaitMs: z.int().min(0).max(3_600_000).default(300_000),
  /** How long one step may wait for a quota, in milliseconds, where the task says so. Unset: five minutes. */
  maxQuotaWaitMs: z.int().min(0).max(86_400_000).optional(),
  /** How long a run may wait for models that are not available, in milliseconds, where the task says so. Unset: one hour. */
  maxUnavailableWaitMs: z.int().min(0).max(86_400_000).optional(),
  /** Milliseconds from its start after which a run begins no model call; what it waits for people does not count. Unset: no limit. */
  maxDurationMs: z.int().min(1_000).max(31_536_000_000).optional(),
  /** History events after which the run continues as new even if Temporal does not suggest it yet. */
  maxHistoryEvents: z.int().min(50).max(40_000).default(8_000),
});
export type Limits = z.infer<typeof limitsSchema>;

export const candidateSchema = z.strictObject({
  /** The name in the model catalogue, which is also sent to the endpoint unless the catalogue says otherwise. */
  model: z.string().min(1).max(200),
  /** Overrides the price of the catalogue, in USD per million tokens. */
  price: z
    .strictObject({
      inputUsdPerMillion: z.number().min(0),
      cachedInputUsdPerMillion: z.number().min(0).optional(),
      cacheWriteUsdPerMillion: z.number().min(0).optional(),
      outputUsdPerMillion: z.number().min(0),
    })
    .optional(),
});

/** Every rule and limit decides by what people see; a volatile argument may be another when the action runs. */
function refuseVolatileConditions(
  task: { readonly tools: readonly ToolDefinition[]; readonly gates: { readonly irreversible: GatePolicy } },
  context: z.core.$RefinementCtx,
): void {
  for (const [index, { name: toolName, gate, volatileArguments }] of task.tools.entries()) {
    const { rules = [], limits = [] } = gate ?? task.gates.irreversible;
    const conditions = [
      ...rules.flatMap(({ when, limits: more = [] }) => [...(when.arguments ?? []), ...more.flatMap((limit) => limit.when)]),
      ...limits.flatMap(({ when }) => when),
    ];
    const seen = conditions.map(({ path }) => path.split('.', 1)[0] ?? '').find((argument) => volatileArguments.includes(argument));
    if (seen === undefined) continue;
    const message = `the gate's policy looks at "${seen}", which is a volatile argument of ${toolName}: what was approved need not be what runs. Take it out of volatileArguments, or out of the policy`;
    context.addIssue({ code: 'custom', path: ['tools', index, 'volatileArguments'], message, input: volatileArguments });
  }
}

/** Refuses a compensation that could not be carried out. */
function refuseCompensation(tools: readonly ToolDefinition[], context: z.core.$RefinementCtx): void {
  for (const [index, { name, effect, binding, compensate }] of tools.entries()) {
    if (!compensate) continue;
    const add = (message: string) => context.addIssue({ code: 'custom', path: ['tools', index, 'compensate'], message });
    const by = tools.find((tool) => tool.name === compensate.tool);
    if (effect === 'read') add(`"${name}" is a read: there is nothing to undo. Remove "compensate"`);
    if (!by || by.name === name) add(`"${name}" is undone by "${compensate.tool}", which is no other tool of the task. Add that tool to the task`);
    else if (by.effect === 'read') add(`"${name}" is undone by "${by.name}", which is a read and undoes nothing`);
    if (binding.type !== 'function' && compensate.arguments === undefined)
      add(`"${name}" does not say what "${compensate.tool}" is to be called with. Add "arguments"`);
  }
}

/** A task as data: what a file task says, and what a task in TypeScript comes down to. */
const taskFields = z.strictObject({
  version: z.literal(1),
  name,
  /** The workflow type that runs the task. Unset: `agentRun`. */
  workflow: workflowName.optional(),
  /** The system prompt. */
  prompt: z.string().max(200_000),
  promptName: z.string().max(100).optional(),
  models: z.array(candidateSchema).min(1).max(8),
  maxOutputTokens: z.int().min(1).max(200_000),
  /** Integer nano-USD. */
  budgetLimitNanoUsd: z.int().min(0),
  onBudgetExhausted: z.enum(['ask', 'wrapUp', 'fail']).default('fail'),
  /** By how much a budget gate asks to raise the budget, in nano-USD. Unset: half the task's budget. */
  raiseByNanoUsd: z.int().min(1).optional(),
  /** The most tokens of input and output together. Unset: money alone is the limit. */
  budgetLimitTokens: z.int().min(1).max(1_000_000_000_000).optional(),
  /** By how many tokens a budget gate asks to raise that. Unset: by half the task's. */
  raiseByTokens: z.int().min(1).max(1_000_000_000_000).optional(),
  /** What a run does whose call a quota of its tenant or feature denies. Unset: `wait`. */
  onQuotaDenied: z.enum(['wait', 'fail']).optional(),
  /** What a run does when no model of its chain is there to answer. Unset: `fail`. */
  onModelsUnavailable: z.enum(['fail', 'message', 'person', 'wait']).optional(),
  /** What the run then answers, for `message`. Unset: a plain sentence. */
  unavailableMessage: z.string().min(1).max(2_000).optional(),
  tools: z.array(toolDefinitionSchema).max(128).default([]),
  /** JSON Schema of the final answer, an object. Unset: the answer is text. */
  outputSchema: jsonObjectSchema.optional(),
  gates: z.strictObject({
    irreversible: gatePolicySchema,
    budget: gatePolicySchema.optional(),
    inDoubt: gatePolicySchema.optional(),
    unavailable: gatePolicySchema.optional(),
  }),
  onDenied: z.enum(['tellModel', 'endRun']).default('tellModel'),
  onExpired: z.enum(['tellModel', 'endRun']).default('tellModel'),
  /** Whether the provider may store responses; background responses need it. */
  providerStorage: z.enum(['allowed', 'forbidden']).default('forbidden'),
  /** What becomes of completed actions when the run ends without success. Unset: they are kept. */
  onFailure: z.enum(['keep', 'compensate']).optional(),
  /** The ends after which they are undone. Unset: all of them. */
  compensateOn: z.array(failedEndSchema).min(1).max(5).optional(),
  /** What becomes of personal data and secrets in this task's runs, above the general settings and below the tenant's. */
  redaction: taskRedactionSchema.optional(),
  limits: limitsSchema,
});
export const taskDefinitionSchema = taskFields.superRefine((task, context) => {
  refuseCompensation(task.tools, context);
  refuseVolatileConditions(task, context);
});
export type TaskDefinition = z.infer<typeof taskDefinitionSchema>;

/** A candidate as pinned: everything a call needs but the key. */
export interface CandidateSnapshot {
  readonly model: string;
  /** Name sent on the wire. */
  readonly wireModel: string;
  readonly provider: string;
  /** Key into the worker's configured endpoints. */
  readonly endpoint: string;
  readonly api: ModelApi;
  readonly background: boolean;
  /** Whether replies are streamed; unset: they come in one piece. */
  readonly stream?: true;
  /** False where the endpoint refuses a request that names an output schema; unset: it may be sent. */
  readonly structuredOutput?: false;
  /** Tokens that the model takes in one request, where that is known. */
  readonly contextWindow?: number;
  readonly price: PriceTable;
}

/** What a run lives with, whatever is deployed later. Stored by digest. */
export interface TaskSnapshot {
  readonly version: 1;
  readonly task: TaskDefinition;
  readonly candidates: readonly CandidateSnapshot[];
  /** SHA-256 of the prompt. */
  readonly promptDigest: string;
  /** SHA-256 over the gate policies and effects; part of every action digest. */
  readonly policyVersion: string;
}
