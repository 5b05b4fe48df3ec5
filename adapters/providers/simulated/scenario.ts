import { z } from 'zod';

const tokens = z.int().min(0).max(10_000_000);
const milliseconds = z.int().min(0).max(3_600_000);
const tries = z.int().min(1).max(1_000);

/** On which tries of a turn by one model a fault happens: a number, several, or every one. */
const attempt = { attempt: z.union([tries, z.array(tries).min(1).max(100)]).optional() };

/** After how many pieces of a stream the fault happens. */
const afterChunks = { afterChunks: z.int().min(0).max(100_000).optional() };

export const faultSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('rateLimit'), ...attempt, retryAfterMs: milliseconds.optional() }),
  z.strictObject({ type: z.literal('serverError'), ...attempt }),
  z.strictObject({ type: z.literal('overloaded'), ...attempt, retryAfterMs: milliseconds.optional() }),
  z.strictObject({ type: z.literal('hang'), ...attempt, billed: z.boolean().optional() }),
  z.strictObject({ type: z.literal('cutAfterWork'), ...attempt }),
  z.strictObject({ type: z.literal('malformed'), ...attempt }),
  z.strictObject({ type: z.literal('slow'), ...attempt, delayMs: milliseconds }),
  z.strictObject({ type: z.literal('usageAboveBound'), ...attempt, inputTokens: tokens.optional(), outputTokens: tokens.optional() }),
  z.strictObject({ type: z.literal('emptyChoices'), ...attempt }),
  z.strictObject({ type: z.literal('invalidJsonArguments'), ...attempt }),
  z.strictObject({ type: z.literal('contentFilter'), ...attempt, asError: z.boolean().optional() }),
  z.strictObject({ type: z.literal('truncated'), ...attempt }),
  z.strictObject({ type: z.literal('failedResponse'), ...attempt }),
  z.strictObject({ type: z.literal('noUsage'), ...attempt }),
  z.strictObject({ type: z.literal('contextLength'), ...attempt }),
  z.strictObject({ type: z.literal('quota'), ...attempt }),
  z.strictObject({ type: z.literal('auth'), ...attempt }),
  z.strictObject({ type: z.literal('modelNotFound'), ...attempt }),
  z.strictObject({ type: z.literal('cutStream'), ...attempt, ...afterChunks }),
  z.strictObject({ type: z.literal('hangInStream'), ...attempt, ...afterChunks }),
  z.strictObject({ type: z.literal('errorInStream'), ...attempt, ...afterChunks, code: z.enum(['server_error', 'rate_limit_exceeded']).optional() }),
  z.strictObject({ type: z.literal('endsEarly'), ...attempt, ...afterChunks }),
  z.strictObject({ type: z.literal('malformedChunk'), ...attempt, ...afterChunks }),
  z.strictObject({ type: z.literal('emptyStream'), ...attempt }),
  z.strictObject({ type: z.literal('noDone'), ...attempt }),
  z.strictObject({ type: z.literal('slowStream'), ...attempt, chunkDelayMs: milliseconds.optional() }),
]);
export type Fault = z.infer<typeof faultSchema>;
export type FaultType = Fault['type'];

const toolCallSchema = z.strictObject({
  name: z.string().min(1).max(64),
  /** An object, or the raw text where it is not meant to be JSON. */
  arguments: z.union([z.string(), z.record(z.string(), z.json())]).default({}),
});

const content = {
  text: z.string().optional(),
  toolCalls: z.array(toolCallSchema).max(128).optional(),
  refusal: z.string().optional(),
  empty: z.literal(true).optional(),
  finishReason: z.enum(['stop', 'toolCalls', 'length', 'contentFilter']).optional(),
};
const settings = {
  usage: z
    .strictObject({ inputTokens: tokens.optional(), cachedTokens: tokens.optional(), outputTokens: tokens.optional(), reasoningTokens: tokens.optional() })
    .optional(),
  faults: z.array(faultSchema).max(100).optional(),
};
const byModel = { byModel: z.record(z.string(), z.strictObject({ ...content, ...settings })).optional() };

const words = z.union([z.string().min(1), z.array(z.string().min(1)).min(1).max(20)]);
const whenSchema = z.strictObject({
  /** In a tool result that came after the last assistant turn; upper and lower case are the same. */
  lastToolResultIncludes: words.optional(),
  /** In the last user message. */
  lastUserMessageIncludes: words.optional(),
  /** Whether the request lets the model call tools. */
  toolsOffered: z.boolean().optional(),
});
export type When = z.infer<typeof whenSchema>;

export const turnSchema = z
  .strictObject({
    ...content,
    ...settings,
    ...byModel,
    alternatives: z
      .array(z.strictObject({ when: whenSchema, ...content, ...settings, ...byModel }))
      .max(20)
      .optional(),
  })
  .refine((turn) => turn.text !== undefined || turn.toolCalls !== undefined || turn.refusal !== undefined || turn.empty, {
    message: 'a turn says at least one of "text", "toolCalls", "refusal" and "empty"',
  });
export type Turn = z.infer<typeof turnSchema>;
export type TurnPart = Pick<Turn, 'text' | 'toolCalls' | 'refusal' | 'empty' | 'finishReason' | 'usage' | 'faults'>;

export const scenarioSchema = z.strictObject({
  id: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$/, 'letters, digits, "_", "." and "-", at most 100'),
  /** Every condition given must hold; upper and lower case differ. No condition matches every request. */
  match: z.strictObject({ system: z.string().min(1).optional(), user: z.string().min(1).optional(), model: z.string().min(1).optional() }).default({}),
  turns: z.array(turnSchema).min(1).max(1_000),
  /** Plays the last turn for ever. */
  repeatLast: z.boolean().default(false),
});
export type Scenario = z.infer<typeof scenarioSchema>;
export type ScenarioInput = z.input<typeof scenarioSchema>;
