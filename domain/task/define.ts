import type { z } from 'zod';
import type { GatePolicy } from '../../contracts/approval.ts';
import type { JsonObject, JsonValue } from '../../contracts/json.ts';
import type { ModelApi } from '../../contracts/model.ts';
import type { ChannelSpec } from '../../contracts/notification.ts';
import type { RedactionSettings, TaskRedaction } from '../../contracts/redaction.ts';
import type { CompensationSource, FailedEnd, Limits } from '../../contracts/task.ts';
import type { Effect } from '../../contracts/tool.ts';
import type { QuotaSpec } from '../quota/quota-spec.ts';
import type { ToolContext, ToolReconciliation } from '../tool/runtime-port.ts';
import type { StatedPrice } from './candidates.ts';

type GatePolicyInput = Partial<GatePolicy>;

/** What undoes a completed action, as data: another tool of the task, and where its arguments come from. */
export interface MappedCompensation {
  readonly tool: string;
  readonly arguments: Readonly<Record<string, CompensationSource>>;
}

/** The same as code. Arguments and result come as they are stored: with tokens in place of what redaction took out. */
export interface ComputedCompensation<Args> {
  readonly tool: string;
  argumentsFrom(args: Args, result: JsonValue): JsonObject;
}

/** A tool in TypeScript. */
export interface ToolSpec<Schema extends z.ZodType = z.ZodType> {
  readonly name: string;
  /** Raise it when the tool's behaviour changes: a run keeps the version it was started with. Default `1`. */
  readonly version?: string;
  readonly description: string;
  /** A zod object; the model gets it as JSON Schema, and `execute` gets what it parses. */
  readonly parameters: Schema;
  /** What the tool does to the world. */
  readonly effect: Effect;
  /**
   * For a read that is over in a second or two: it is carried out within the workflow task, with less history and less work
   * for the server. Only for effect `read`.
   */
  readonly local?: boolean;
  /** Where an irreversible action goes, as the approver sees it. Default: the tool's name on this worker. */
  readonly destination?: string;
  readonly volatileArguments?: readonly string[];
  readonly gate?: GatePolicyInput;
  /**
   * Types of redacted values that the tool gets instead of their tokens, such as `['email', 'phone']`; a family such as
   * `nationalId`, or `*` for all. Each time is in the audit. Default: it gets the tokens.
   */
  readonly needs?: readonly string[];
  /** How what the tool did is undone, where a task says `onFailure: 'compensate'`. See docs/compensation.md. */
  readonly compensate?: MappedCompensation | ComputedCompensation<z.output<Schema>>;
  /** Returns the result as JSON. Throwing `ToolNotDone` says that nothing happened; any other error leaves that open. */
  execute(args: z.output<Schema>, context: ToolContext): Promise<JsonValue>;
  /** Asks the destination whether the action under `context.idempotencyKey` happened. */
  reconcile?(args: z.output<Schema>, context: ToolContext): Promise<ToolReconciliation>;
}

/** A tool of an MCP server. Its description and schema are the server's, pinned when a run starts. */
export interface McpToolSpec {
  readonly type: 'mcp';
  /** Names an entry of the project's `mcpServers`. */
  readonly server: string;
  /** The tool's name at the server. */
  readonly tool: string;
  /** The name that the model sees. */
  readonly name: string;
  readonly version?: string;
  /** What the tool does to the world. Default `irreversible`; hints of the server may raise it and never lower it. */
  readonly effect?: Effect;
  /** Digest of what the server offers, as `tollgate mcp list` prints it. Any other tool is refused; a lower effect needs it. */
  readonly schemaDigest?: string;
  /** What an error result of an irreversible call says. Default `unknown`: nothing certain, so a person is asked. */
  readonly errorMeans?: 'unknown' | 'notDone';
  /** As in `defineTool`: a short read. Hints that raise the effect end it. */
  readonly local?: boolean;
  readonly volatileArguments?: readonly string[];
  readonly gate?: GatePolicyInput;
  /** As in `defineTool`: types of redacted values that the server gets. */
  readonly needs?: readonly string[];
  /** As in `defineTool`, as data. */
  readonly compensate?: MappedCompensation;
}

/** An MCP server: a command on the worker's machine, or a URL. */
export type McpServerSpec = McpCommandSpec | McpUrlSpec;

export interface McpCommandSpec {
  readonly command: string;
  readonly args?: readonly string[];
  /** Names of environment variables that the server gets. Beside these it gets PATH alone. */
  readonly env?: readonly string[];
  /** Relative to the folder of the configuration, which is also the default. */
  readonly cwd?: string;
}

export interface McpUrlSpec {
  readonly url: string;
  /** Header name to the name of an environment variable with its value. */
  readonly secretHeaders?: Readonly<Record<string, string>>;
}

/** Thrown by a tool to say that certainly nothing was done; its message goes to the model. */
export class ToolNotDone extends Error {
  override readonly name = 'ToolNotDone';
}

/** A task in TypeScript. Money in USD as a decimal string or number, durations in milliseconds. */
export interface TaskSpec<Input extends z.ZodType = z.ZodType, Output extends z.ZodType = z.ZodType> {
  readonly name: string;
  /** The workflow that runs the task: a function that the project's `workflows` module exports. Default: `agentRun`. */
  readonly workflow?: string;
  /** The system prompt. */
  readonly prompt: string;
  /** The fallback chain, best first. */
  readonly models: readonly string[];
  readonly maxOutputTokens: number;
  readonly budgetUsd: number | string;
  readonly onBudgetExhausted?: 'ask' | 'wrapUp' | 'fail';
  readonly raiseByUsd?: number | string;
  /** The most tokens of input and output together. Default: money alone is the limit. */
  readonly budgetTokens?: number;
  /** By how many tokens a budget gate asks to raise that. Default: by half. */
  readonly raiseByTokens?: number;
  /** What a run does whose call a quota of its tenant or feature denies: wait within `limits.maxQuotaWaitMs` (the default), or end. */
  readonly onQuotaDenied?: 'wait' | 'fail';
  /** What a run does when no model of the chain is there to answer. Default: `fail`. */
  readonly onModelsUnavailable?: 'fail' | 'message' | 'person' | 'wait';
  /** What the run then answers, for `message`. */
  readonly unavailableMessage?: string;
  readonly tools?: readonly (ToolSpec | McpToolSpec)[];
  readonly gates?: {
    readonly irreversible?: GatePolicyInput;
    readonly budget?: GatePolicyInput;
    readonly inDoubt?: GatePolicyInput;
    readonly unavailable?: GatePolicyInput;
  };
  readonly onDenied?: 'tellModel' | 'endRun';
  readonly onExpired?: 'tellModel' | 'endRun';
  readonly providerStorage?: 'allowed' | 'forbidden';
  /** What becomes of completed actions when a run ends without success: kept (the default), or undone, the last one first. */
  readonly onFailure?: 'keep' | 'compensate';
  /** The ends after which they are undone. Default: every one but `completed`. */
  readonly compensateOn?: readonly FailedEnd[];
  /** What becomes of personal data and secrets in this task's runs. See docs/redaction.md. */
  readonly redaction?: TaskRedaction;
  readonly limits?: Partial<Limits>;
  /** The run's input; its `message` is the first user message. Default: any object with a `message`. */
  readonly input?: Input;
  /** A zod object that the final answer must fit, as JSON. Default: the answer is text. */
  readonly output?: Output;
}

/** A model that is not reached the usual way. */
export interface ModelSpec {
  readonly model: string;
  /** Name sent on the wire, where it differs. */
  readonly wireModel?: string;
  /** Names an entry of `endpoints`. Default: the one that OPENAI_API_KEY and OPENAI_BASE_URL describe. */
  readonly endpoint?: string;
  readonly api?: ModelApi;
  /** Whether it has background responses, which are used where the task's `providerStorage` is `allowed`. Default: OpenAI's own has. */
  readonly background?: boolean;
  /** Whether other replies are streamed, with their usage. Default: at OpenAI's own, where a reply may be a long one (docs/model-calls.md). */
  readonly stream?: boolean;
  /** False where requests with an output schema (`response_format`) are refused: the schema is then put into the prompt. Default: true. */
  readonly structuredOutput?: boolean;
  /** Tokens that it takes in one request. Default: what the price list says. A request that is larger for certain goes to the next model. */
  readonly contextWindow?: number;
  /** USD per million tokens. Cache writes cost what input does unless stated. */
  readonly price?: StatedPrice;
  /** The tokenizer that bounds its input. Default: OpenAI's for its own models; elsewhere input is bounded by its bytes. */
  readonly tokenizer?: 'o200k_base' | 'cl100k_base';
}

/** An OpenAI-compatible server. */
export interface EndpointSpec {
  readonly baseUrl: string;
  /** Who runs it, as genai-prices names providers. */
  readonly provider: string;
  /** Name of the environment variable with the API key. */
  readonly apiKeyVariable?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Headers whose values are secrets, by the environment variable that holds them, such as `{ 'Helicone-Auth': 'HELICONE_AUTH' }`. */
  readonly secretHeaders?: Readonly<Record<string, string>>;
  /** Whose headers name run, session, user and tags, and switch its own retries and cache off. Default: by the provider and the address. */
  readonly gateway?: 'litellm' | 'helicone' | 'openrouter' | 'none';
  readonly api?: ModelApi;
  /** Whether it has background responses, which are used where the task's `providerStorage` is `allowed`. Default: OpenAI's own has. */
  readonly background?: boolean;
  /** Whether other replies are streamed, with their usage. Default: at OpenAI's own, where a reply may be a long one (docs/model-calls.md). */
  readonly stream?: boolean;
  /** False where requests with an output schema (`response_format`) are refused: the schema is then put into the prompt. Default: true. */
  readonly structuredOutput?: boolean;
  /**
   * Whose way of keeping records it has, which reconciliation asks for what became of a call. Default: by the address and the
   * provider; `none` where nothing can be asked.
   */
  readonly records?: 'openai' | 'litellm' | 'openrouter' | 'none';
  /** Longest silence in the middle of a streamed answer before it is given up, in milliseconds. Default: 60000. */
  readonly streamIdleTimeoutMs?: number;
}

export type SinkType = 'otlp' | 'langsmith' | 'weave' | 'phoenix' | 'braintrust' | 'langfuse' | 'helicone';

/** Somewhere that the traces of runs go. Keys are named by their variable, never given. */
export interface SinkSpec {
  readonly type: SinkType;
  /** Default: the vendor's own, or what its variable says. For `otlp` the whole address, `…/v1/traces`. */
  readonly url?: string;
  /** The environment variable with the key. Default: the one that the vendor's own tools read. */
  readonly keyVariable?: string;
  /** Langfuse: the variable with the public key. */
  readonly publicKeyVariable?: string;
  /** Headers by the environment variable that holds their value. */
  readonly secretHeaders?: Readonly<Record<string, string>>;
  /** Project at the sink; for Weave `entity/project`, for Langfuse the environment. */
  readonly project?: string;
  /** Resource attributes of every span. */
  readonly attributes?: Readonly<Record<string, string>>;
  /** Whether what was said goes along, redacted. Default: as TOLLGATE_TRACE_CONTENT says. */
  readonly content?: boolean;
}

/** What `tollgate.config.ts` exports as its default. */
export interface ProjectSpec {
  readonly tasks: readonly TaskSpec[];
  /** Path of a module with workflows of one's own, relative to the configuration. Built from the pieces of `tollgate/workflows`. */
  readonly workflows?: string;
  readonly models?: readonly ModelSpec[];
  readonly endpoints?: Readonly<Record<string, EndpointSpec>>;
  /** Path of a price file, relative to the configuration, as `tollgate price import` writes it. Its prices come before the built-in ones. */
  readonly prices?: string;
  /** What becomes of personal data and secrets: rules, regions and patterns of one's own, by feature and tenant. See docs/redaction.md. */
  readonly redaction?: RedactionSettings;
  /** By the name that tools use. */
  readonly mcpServers?: Readonly<Record<string, McpServerSpec>>;
  /** What tenants and features may use per minute, day and month. Workers write them into the store when they start. */
  readonly quotas?: readonly QuotaSpec[];
  /** Where people are told about gates: webhooks, Slack, e-mail. See docs/notifications.md. */
  readonly notifications?: readonly ChannelSpec[];
  /** Where the traces of runs go, by a name of one's own, beside those that the environment names. See docs/telemetry.md. */
  readonly traceSinks?: Readonly<Record<string, SinkSpec>>;
}

/** Types a tool's arguments from its schema. */
export function defineTool<Schema extends z.ZodType>(spec: ToolSpec<Schema>): ToolSpec<Schema> {
  return spec;
}

/** A tool of an MCP server. The model sees it under its own name, with what OpenAI does not take in names replaced by `_`. */
export function mcpTool(spec: Omit<McpToolSpec, 'type' | 'name'> & { readonly name?: string }): McpToolSpec {
  return { ...spec, type: 'mcp', name: spec.name ?? spec.tool.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, 64) };
}

export function isMcpTool(tool: ToolSpec | McpToolSpec): tool is McpToolSpec {
  return 'type' in tool;
}

/** Types a task, and through it the client's input and output. */
export function defineTask<Input extends z.ZodType, Output extends z.ZodType>(spec: TaskSpec<Input, Output>): TaskSpec<Input, Output> {
  return spec;
}

/** Types a project's configuration. It is validated as a whole when it is loaded, every mistake listed at once. */
export function defineConfig(spec: ProjectSpec): ProjectSpec {
  return spec;
}

export type { JsonObject };
