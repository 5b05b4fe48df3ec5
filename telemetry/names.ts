/**
 * Every name that Tollgate gives to telemetry, once. Those of GenAI follow the semantic conventions below; they are in
 * development, so a name that is being renamed is here under both names, and both are sent.
 */

/** The conventions followed: the last tagged text of semantic-conventions, and the renames of semantic-conventions-genai since, which has no tag yet. */
export const GEN_AI_CONVENTIONS = { version: '1.41.1', renames: ['cache_creation.input_tokens → cache_write.input_tokens'] } as const;

/** The instrumentation scope of spans and metrics. */
export const SCOPE = 'tollgate';

/** Values of `gen_ai.operation.name`. */
export const OPERATION = { chat: 'chat', executeTool: 'execute_tool', invokeAgent: 'invoke_agent', invokeWorkflow: 'invoke_workflow' } as const;

/** Attributes of the conventions, on spans and on metrics. */
export const GEN_AI = {
  operation: 'gen_ai.operation.name',
  provider: 'gen_ai.provider.name',
  /** The older name of `provider`, which some sinks still read. */
  system: 'gen_ai.system',
  conversationId: 'gen_ai.conversation.id',
  agentId: 'gen_ai.agent.id',
  agentName: 'gen_ai.agent.name',
  workflowName: 'gen_ai.workflow.name',
  requestModel: 'gen_ai.request.model',
  requestMaxTokens: 'gen_ai.request.max_tokens',
  requestStream: 'gen_ai.request.stream',
  responseId: 'gen_ai.response.id',
  responseModel: 'gen_ai.response.model',
  finishReasons: 'gen_ai.response.finish_reasons',
  inputTokens: 'gen_ai.usage.input_tokens',
  outputTokens: 'gen_ai.usage.output_tokens',
  cacheReadTokens: 'gen_ai.usage.cache_read.input_tokens',
  cacheWriteTokens: 'gen_ai.usage.cache_write.input_tokens',
  /** The older name of `cacheWriteTokens`, which sinks read. */
  cacheCreationTokens: 'gen_ai.usage.cache_creation.input_tokens',
  reasoningTokens: 'gen_ai.usage.reasoning.output_tokens',
  /** In no convention; what Langfuse and OpenRouter call it. USD. */
  cost: 'gen_ai.usage.cost',
  tokenType: 'gen_ai.token.type',
  toolName: 'gen_ai.tool.name',
  toolCallId: 'gen_ai.tool.call.id',
  toolType: 'gen_ai.tool.type',
  toolArguments: 'gen_ai.tool.call.arguments',
  toolResult: 'gen_ai.tool.call.result',
  inputMessages: 'gen_ai.input.messages',
  outputMessages: 'gen_ai.output.messages',
  systemInstructions: 'gen_ai.system_instructions',
  promptName: 'gen_ai.prompt.name',
  serviceTier: 'openai.response.service_tier',
  errorType: 'error.type',
  serverAddress: 'server.address',
} as const;

/** Attributes of our own, on spans and on metrics. */
export const TOLLGATE = {
  agentRunId: 'tollgate.agent_run.id',
  firstExecutionRunId: 'tollgate.agent_run.first_execution_run_id',
  task: 'tollgate.task',
  tenant: 'tollgate.tenant',
  feature: 'tollgate.feature',
  requester: 'tollgate.requester',
  runStatus: 'tollgate.run.status',
  runMessage: 'tollgate.run.message',
  steps: 'tollgate.run.steps',
  promptVersion: 'tollgate.prompt.version',
  step: 'tollgate.step',
  attemptId: 'tollgate.attempt.id',
  /** 1 for the first try of a step, over all candidates. */
  ordinal: 'tollgate.attempt.ordinal',
  mode: 'tollgate.attempt.mode',
  /** `first`, `retry` (same model again) or `fallback` (another model than the try before). */
  tryKind: 'tollgate.attempt.kind',
  outcome: 'tollgate.attempt.outcome',
  endpoint: 'tollgate.endpoint',
  billed: 'tollgate.billed',
  providerRequestId: 'tollgate.provider_request.id',
  /** `held`, `settled`, `released` or `writtenOff`, as it was when the span ended. */
  costStatus: 'tollgate.cost.status',
  /** What was set aside before the call: the most that it may cost. */
  costReservedNanoUsd: 'tollgate.cost.reserved_nano_usd',
  costHeldNanoUsd: 'tollgate.cost.held_nano_usd',
  costSettledNanoUsd: 'tollgate.cost.settled_nano_usd',
  costWrittenOffNanoUsd: 'tollgate.cost.written_off_nano_usd',
  costOverrunNanoUsd: 'tollgate.cost.overrun_nano_usd',
  costLimitNanoUsd: 'tollgate.cost.limit_nano_usd',
  /** Where the cost comes from: the price list, or what the reply says. */
  costSource: 'tollgate.cost.source',
  /** What a gateway says that the call cost, where it is not the bill. */
  costGatewayNanoUsd: 'tollgate.cost.gateway_nano_usd',
  costGatewayDifferenceNanoUsd: 'tollgate.cost.gateway_difference_nano_usd',
  /** The attempt that a late settlement is about. */
  settlementOf: 'tollgate.settlement.attempt_id',
  effect: 'tollgate.tool.effect',
  toolVersion: 'tollgate.tool.version',
  callKey: 'tollgate.tool.call_key',
  toolStatus: 'tollgate.tool.status',
  approvalId: 'tollgate.gate.approval_id',
  gateKind: 'tollgate.gate.kind',
  gateStatus: 'tollgate.gate.status',
  gateRole: 'tollgate.gate.role',
  gateApprovals: 'tollgate.gate.approvals',
  gateWaitMs: 'tollgate.gate.wait_ms',
  skipReason: 'tollgate.skip.reason',
} as const;

/** Names of events on spans. */
export const EVENT = { skipped: 'tollgate.candidate.skipped' } as const;

/** Metrics, by what they count. */
export const METRIC = {
  /** Being replaced in the conventions; its successor has no settled name. */
  tokenUsage: 'gen_ai.client.token.usage',
  operationDuration: 'gen_ai.client.operation.duration',
  timeToFirstChunk: 'gen_ai.client.operation.time_to_first_chunk',
  /** Spans that a sink did not take, or that were dropped because it was behind. */
  spansDropped: 'tollgate.trace.spans.dropped',
  spansExported: 'tollgate.trace.spans.exported',
  /** Attempts for which a gateway reported another cost than we settled. */
  gatewayCostDifferences: 'tollgate.gateway.cost.differences',
} as const;
