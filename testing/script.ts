import type { z } from 'zod';
import { type Fault, type FaultType, faultSchema, type ScenarioInput, turnSchema } from '../adapters/providers/simulated/scenario.ts';
import { TollgateError } from '../contracts/failures.ts';
import type { ToolSpec } from '../domain/task/define.ts';

/** What the model says in one turn, with the faults that meet the request. The fields are those of a scenario file. */
export type TurnInput = ScenarioInput['turns'][number];

/** What the model was asked. */
export interface ModelAsked {
  /** 1 for the first reply of a run. */
  readonly turn: number;
  /** The name on the wire; another one after a fallback. */
  readonly model: string;
  readonly system: string;
  readonly messages: readonly { readonly role: 'system' | 'user' | 'assistant' | 'tool'; readonly text: string }[];
  /** The results of the tools that the last reply called, as the model sees them. */
  readonly toolResults: readonly string[];
  /** Names of the tools that it may call. */
  readonly tools: readonly string[];
}

/**
 * One turn of a script: a text, what `call` and its like make, or a function of the request that answers either. A function
 * is called anew for every try of its turn, retries and fallbacks included, and must not be async.
 */
export type ScriptTurn = string | TurnInput | ((asked: ModelAsked) => string | TurnInput);

/** The model calls a tool. Given the tool itself, the arguments are typed; given its name, they may be anything, nonsense included. */
export function call<Schema extends z.ZodType>(tool: ToolSpec<Schema>, args: z.input<Schema>): TurnInput;
export function call(tool: string, args?: object | string): TurnInput;
export function call(tool: ToolSpec | string, args: unknown = {}): TurnInput {
  return { toolCalls: [{ name: typeof tool === 'string' ? tool : tool.name, arguments: args as string }] };
}

/** The model calls several tools in one reply, in this order. */
export function callAll(...turns: readonly TurnInput[]): TurnInput {
  return { toolCalls: turns.flatMap((turn) => turn.toolCalls ?? []) };
}

/** The model answers with a value as JSON, for tasks with an output schema. */
export function answer(value: unknown): TurnInput {
  return { text: JSON.stringify(value) };
}

/** The model refuses. */
export function refusal(text: string): TurnInput {
  return { refusal: text };
}

/** A fault by its name, or with its options. Without `attempt` it meets every try of the turn. */
export type FaultInput = FaultType | z.input<typeof faultSchema>;

/** The request of this turn meets a fault of the provider: `withFault(call('look'), { type: 'rateLimit', attempt: 1, retryAfterMs: 50 })`. */
export function withFault(turn: string | TurnInput, fault: FaultInput): TurnInput {
  const { faults = [], ...rest } = typeof turn === 'string' ? { text: turn } : turn;
  return { ...rest, faults: [...faults, toFault(fault)] };
}

function toFault(fault: FaultInput): Fault {
  const given = typeof fault === 'string' ? { type: fault } : fault;
  // The one fault whose name alone does not say enough.
  return faultSchema.parse(given.type === 'slow' ? { delayMs: 1_000, ...given } : given);
}

/** A turn in its full form. @throws TollgateError `invalidInput` that says what is wrong with it. */
export function toTurn(turn: string | TurnInput): z.output<typeof turnSchema> {
  const parsed = turnSchema.safeParse(typeof turn === 'string' ? { text: turn } : turn);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new TollgateError('invalidInput', `This is no turn of a model: ${JSON.stringify(turn)?.slice(0, 200)} (${issue?.path.join('.')}: ${issue?.message}).`);
}
