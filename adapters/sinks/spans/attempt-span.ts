import type { TokenUsage } from '../../../contracts/model.ts';
import { gatewayCostOf } from '../../../domain/budget/gateway-cost.ts';
import type { AttemptRecord } from '../../../domain/store/port.ts';
import type { Ended, StepTimes } from '../../../domain/trace/store-port.ts';
import { GEN_AI, OPERATION, TOLLGATE } from '../../../telemetry/names.ts';
import type { Attributes, Span } from '../../../telemetry/span.ts';
import { type RunView, spanOf } from './run-view.ts';

type Money = NonNullable<Ended['money']>;

const NANO_PER_USD = 1_000_000_000;
/** Names of the conventions for why a reply ended. */
const FINISH_REASONS = { stop: 'stop', toolCalls: 'tool_calls', length: 'length', contentFilter: 'content_filter', other: 'other' } as const;

/** One try of one model, with the money as it was when it ended. `content` is what was said, where that is wanted. */
export function attemptSpan(view: RunView, attempt: AttemptRecord, step: StepTimes, ended: Pick<Ended, 'atMs' | 'money'>, content: Attributes): Span {
  const { outcome, reply, attemptId, model } = attempt;
  const money: Money = ended.money ?? { ...attempt.money, usage: attempt.usage };
  const failed = outcome?.type === 'failed' ? outcome : null;
  return spanOf(
    view,
    { type: 'attempt', attemptId },
    { type: 'step', step: attempt.step },
    {
      name: `${OPERATION.chat} ${model}`,
      kind: 'client',
      startMs: attempt.reservedAtMs,
      endMs: ended.atMs,
      status: outcome?.type === 'reply' ? { code: 'ok' } : { code: 'error', ...(failed && view.withContent ? { message: failed.message } : {}) },
      attributes: {
        ...modelAttributes(view, attempt),
        [TOLLGATE.ordinal]: attempt.ordinal,
        [TOLLGATE.mode]: attempt.mode,
        [TOLLGATE.tryKind]: tryKindOf(attempt, step),
        [TOLLGATE.outcome]: failed ? failed.verdict.class : outcome ? 'ok' : 'unknown',
        [TOLLGATE.billed]: failed?.verdict.billed,
        [TOLLGATE.providerRequestId]: attempt.providerRequestId ?? undefined,
        [GEN_AI.errorType]: failed ? failed.verdict.class : outcome ? undefined : 'unknown',
        [GEN_AI.responseId]: reply?.responseId ?? attempt.responseId ?? undefined,
        [GEN_AI.responseModel]: reply?.responseModel ?? undefined,
        [GEN_AI.finishReasons]: reply ? [FINISH_REASONS[reply.finishReason]] : undefined,
        [GEN_AI.serviceTier]: reply?.serviceTier ?? undefined,
        ...usageAttributes(money.usage),
        ...moneyAttributes(view, attempt, money),
        ...content,
      },
    },
  );
}

/**
 * Money of an attempt whose span is written already: a late reply, a provider's record, a write-off. It has the tokens that the
 * attempt's own span lacked, so that the sums over all spans are the bill.
 */
export function settlementSpan(view: RunView, attempt: AttemptRecord, ended: Ended): Span {
  const { attemptId, model } = attempt;
  const wasHeld = { status: ended.money?.status ?? attempt.money.status, settledNanoUsd: ended.money?.settledNanoUsd ?? null, usage: null };
  const usage = ended.money?.usage ? null : attempt.usage;
  return spanOf(
    view,
    { type: 'settlement', attemptId },
    { type: 'attempt', attemptId },
    {
      name: `settle ${model}`,
      startMs: ended.atMs,
      endMs: ended.atMs,
      attributes: {
        ...modelAttributes(view, attempt),
        [GEN_AI.operation]: usage ? OPERATION.chat : undefined,
        [TOLLGATE.settlementOf]: attemptId,
        ...usageAttributes(usage),
        ...moneyAttributes(view, attempt, wasHeld),
      },
    },
  );
}

function modelAttributes({ snapshot }: RunView, { provider, model, step, attemptId, endpoint }: AttemptRecord): Attributes {
  return {
    [GEN_AI.operation]: OPERATION.chat,
    [GEN_AI.provider]: provider,
    [GEN_AI.system]: provider,
    [GEN_AI.requestModel]: model,
    [GEN_AI.requestMaxTokens]: snapshot?.task.maxOutputTokens,
    [TOLLGATE.step]: step,
    [TOLLGATE.attemptId]: attemptId,
    [TOLLGATE.endpoint]: endpoint,
  };
}

function tryKindOf({ attemptId, model, mode, ordinal }: AttemptRecord, { attempts }: StepTimes): 'first' | 'retry' | 'fallback' {
  if (mode === 'answer' && ordinal === 1) return 'first';
  const before = attempts[attempts.findIndex((attempt) => attempt.attemptId === attemptId) - 1];
  if (!before) return 'first';
  return before.model === model ? 'retry' : 'fallback';
}

/** Inputs include what was cached, as the conventions say; a backend that adds the parts to the whole would count twice. */
function usageAttributes(usage: TokenUsage | null): Attributes {
  if (!usage) return {};
  return {
    [GEN_AI.inputTokens]: usage.inputTokens,
    [GEN_AI.outputTokens]: usage.outputTokens,
    [GEN_AI.cacheReadTokens]: usage.cachedInputTokens,
    [GEN_AI.cacheWriteTokens]: usage.cacheWriteTokens,
    [GEN_AI.cacheCreationTokens]: usage.cacheWriteTokens,
    [GEN_AI.reasoningTokens]: usage.reasoningTokens,
  };
}

function moneyAttributes({ snapshot }: RunView, attempt: AttemptRecord, { status, settledNanoUsd, usage }: Money): Attributes {
  const price = snapshot?.candidates.find(({ model, endpoint }) => model === attempt.model && endpoint === attempt.endpoint)?.price;
  const reserved = attempt.reservedNanoUsd;
  const settled = status === 'settled' ? (settledNanoUsd ?? undefined) : undefined;
  const gateway = gatewayCostOf(price ?? null, usage, settled ?? null);
  return {
    [TOLLGATE.costStatus]: status,
    [TOLLGATE.costReservedNanoUsd]: reserved,
    [TOLLGATE.costHeldNanoUsd]: status === 'held' ? reserved : 0,
    [TOLLGATE.costWrittenOffNanoUsd]: status === 'writtenOff' ? reserved : undefined,
    [TOLLGATE.costSettledNanoUsd]: settled,
    [TOLLGATE.costOverrunNanoUsd]: settled !== undefined && settled > reserved ? settled - reserved : undefined,
    [TOLLGATE.costSource]: price?.isChargedAsReported && usage?.reportedNanoUsd ? 'reported with the reply' : price?.source,
    [TOLLGATE.costGatewayNanoUsd]: gateway?.reportedNanoUsd,
    [TOLLGATE.costGatewayDifferenceNanoUsd]: gateway?.differenceNanoUsd,
    [GEN_AI.cost]: settled === undefined ? undefined : settled / NANO_PER_USD,
  };
}
