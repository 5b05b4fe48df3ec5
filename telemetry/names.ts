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
  feedbackScore: 'tollgate.feedback.score',
} as const;

/** Attributes that only metrics have. */
export const METRIC_LABEL = {
  tokenKind: 'tollgate.token.kind',
  scope: 'tollgate.scope',
  place: 'tollgate.policy.place',
  finding: 'tollgate.policy.finding',
  action: 'tollgate.policy.action',
  decision: 'tollgate.decision',
  label: 'tollgate.feedback.label',
  /** `good`, `bad` or `neutral`, by the sign of the score. */
  verdict: 'tollgate.feedback.verdict',
  quota: 'tollgate.quota',
  per: 'tollgate.quota.per',
  unit: 'tollgate.quota.unit',
  /** By its name in the settings; that of its feedback ends in ` feedback`. */
  sink: 'tollgate.sink',
  /** `more` or `less`: what a gateway says that a call cost, against what we settled. */
  direction: 'tollgate.gateway.cost.direction',
} as const;

/** Names of events on spans. */
export const EVENT = { skipped: 'tollgate.candidate.skipped', evaluation: 'gen_ai.evaluation.result' } as const;

/** What an evaluation's event says, by the conventions. */
export const EVALUATION = {
  name: 'gen_ai.evaluation.name',
  score: 'gen_ai.evaluation.score.value',
  label: 'gen_ai.evaluation.score.label',
  explanation: 'gen_ai.evaluation.explanation',
} as const;

/** What backends call the feedback of people that we pass on. */
export const FEEDBACK_NAME = 'user_feedback';

/** Metrics, by what they count. */
export const METRIC = {
  /** Being replaced in the conventions; its successor has no settled name. */
  tokenUsage: 'gen_ai.client.token.usage',
  operationDuration: 'gen_ai.client.operation.duration',
  timeToFirstChunk: 'gen_ai.client.operation.time_to_first_chunk',
  toolDuration: 'gen_ai.execute_tool.duration',
  /** Tokens by kind: `input` and `output` as billed, and those parts of them that are cached, written to a cache, or reasoning. */
  tokens: 'tollgate.tokens',
  attempts: 'tollgate.attempts',
  fallbacks: 'tollgate.fallbacks',
  skips: 'tollgate.candidates.skipped',
  /** Money is counted in USD, as it moves in the ledger. */
  reservedUsd: 'tollgate.cost.reserved.usd',
  settledUsd: 'tollgate.cost.settled.usd',
  writtenOffUsd: 'tollgate.cost.written_off.usd',
  overrunUsd: 'tollgate.cost.overrun.usd',
  /** Attempts for which a gateway said what they cost, and those for which that is not what we settled; by how much. */
  gatewayCostsCompared: 'tollgate.gateway.cost.compared',
  gatewayCostDifferences: 'tollgate.gateway.cost.differences',
  gatewayCostDifferenceUsd: 'tollgate.gateway.cost.difference.usd',
  rejections: 'tollgate.reservations.rejected',
  runsStarted: 'tollgate.runs.started',
  runsEnded: 'tollgate.runs.ended',
  /** What redaction found, by what was done about it. */
  policyTriggers: 'tollgate.policy.triggers',
  gatesOpened: 'tollgate.gates.opened',
  gatesEnded: 'tollgate.gates.ended',
  gateWait: 'tollgate.gate.wait',
  decisions: 'tollgate.decisions',
  toolCalls: 'tollgate.tool.calls',
  feedback: 'tollgate.feedback',
  /** Read from the store when somebody asks. */
  storeUp: 'tollgate.store.up',
  openRuns: 'tollgate.runs.open',
  waitingRuns: 'tollgate.runs.waiting',
  openGates: 'tollgate.gates.open',
  oldestGateAge: 'tollgate.gates.oldest.age',
  nextGateExpiry: 'tollgate.gates.next_expiry',
  heldUsd: 'tollgate.held.usd',
  heldAttempts: 'tollgate.held.attempts',
  oldestHeldAge: 'tollgate.held.oldest.age',
  breakerState: 'tollgate.breaker.state',
  quotaUsed: 'tollgate.quota.used',
  quotaLimit: 'tollgate.quota.limit',
  /** Of sinks of traces and of feedback: what waits for them, what they took, and what was dropped. */
  sinkPending: 'tollgate.sink.pending',
  sinkOldestAge: 'tollgate.sink.oldest.age',
  sinkExported: 'tollgate.sink.exported',
  sinkDropped: 'tollgate.sink.dropped',
} as const;
