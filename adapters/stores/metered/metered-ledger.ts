import type { AttemptId, RunKey } from '../../../contracts/ids.ts';
import type { AttemptRecord, ReserveResult, Store } from '../../../domain/store/port.ts';
import type { Metrics } from '../../../telemetry/metrics.ts';
import { GEN_AI, METRIC, METRIC_LABEL, OPERATION, TOLLGATE } from '../../../telemetry/names.ts';
import { GatewayCosts } from './gateway-costs.ts';
import type { RunFacts } from './metered-runs.ts';
import { orNull, quietly } from './quietly.ts';
import { Remembered } from './remembered.ts';

const REMEMBERED_ATTEMPTS = 10_000;

type LedgerPart = Pick<Store, 'reserveAttempt' | 'getAttempt' | 'reportAttempt' | 'moveMoney' | 'recordSkip'>;
type Seen = Pick<AttemptRecord, 'outcome' | 'usage' | 'money'>;

/** Counts what each change of an attempt adds: the difference between its row before and after. A reply that is recovered changes nothing. */
export function meteredLedger(store: Store, metrics: Metrics, facts: RunFacts): LedgerPart {
  const seen = new Remembered<Seen>(REMEMBERED_ATTEMPTS);
  const skips = new Remembered<true>(REMEMBERED_ATTEMPTS);
  const counting = { store, metrics, facts, gatewayCosts: new GatewayCosts(store, metrics) };
  const note = (attempt: AttemptRecord) => {
    const { outcome, usage, money } = attempt;
    seen.set(nameOf(attempt.runKey, attempt.attemptId), { outcome, usage, money });
    return attempt;
  };
  const before = async (runKey: RunKey, attemptId: AttemptId) => seen.get(nameOf(runKey, attemptId)) ?? (await orNull(store.getAttempt(runKey, attemptId)));
  const changed = (earlier: Seen | null, after: AttemptRecord) => {
    note(after);
    if (earlier) quietly(() => countChange(counting, earlier, after));
    return after;
  };
  return {
    reserveAttempt: async (attempt) => {
      const result = await store.reserveAttempt(attempt);
      quietly(() => countReservation(metrics, facts, attempt.runKey, result));
      if (result.type !== 'rejected') note(result.attempt);
      return result;
    },
    getAttempt: async (runKey, attemptId) => {
      const attempt = await store.getAttempt(runKey, attemptId);
      return attempt && note(attempt);
    },
    reportAttempt: async (runKey, attemptId, report) => {
      const earlier = await before(runKey, attemptId);
      return changed(earlier, await store.reportAttempt(runKey, attemptId, report));
    },
    moveMoney: async (runKey, attemptId, event, by) => {
      const earlier = await before(runKey, attemptId);
      return changed(earlier, await store.moveMoney(runKey, attemptId, event, by));
    },
    recordSkip: async (skip) => {
      await store.recordSkip(skip);
      if (!skips.isFirst(nameOf(skip.runKey, skip.attemptId))) return;
      quietly(async () => {
        const labels = { ...(await facts.labels(skip.runKey)), [GEN_AI.requestModel]: skip.model, [TOLLGATE.skipReason]: skip.reason };
        metrics.count(METRIC.skips, 1, labels);
      });
    },
  };
}

function nameOf({ firstExecutionRunId }: RunKey, attemptId: AttemptId): string {
  return `${firstExecutionRunId}/${attemptId}`;
}

async function countReservation(metrics: Metrics, facts: RunFacts, runKey: RunKey, result: ReserveResult): Promise<void> {
  const labels = await facts.labels(runKey);
  if (result.type === 'rejected') metrics.count(METRIC.rejections, 1, { ...labels, [METRIC_LABEL.scope]: result.scope });
  if (result.type !== 'reserved') return;
  const { attempt } = result;
  metrics.count(METRIC.reservedUsd, attempt.reservedNanoUsd / 1e9, { ...labels, [GEN_AI.requestModel]: attempt.model });
}

interface Counting {
  readonly store: Store;
  readonly metrics: Metrics;
  readonly facts: RunFacts;
  readonly gatewayCosts: GatewayCosts;
}

async function countChange({ store, metrics, facts, gatewayCosts }: Counting, before: Seen, after: AttemptRecord): Promise<void> {
  const labels = { ...(await facts.labels(after.runKey)), [GEN_AI.requestModel]: after.model };
  const call = { ...labels, [GEN_AI.operation]: OPERATION.chat, [GEN_AI.provider]: after.provider };
  if (!before.outcome && after.outcome) await countOutcome(store, metrics, after, labels, call);
  if (!before.usage && after.usage) countTokens(metrics, after, labels, call);
  countMoney(metrics, before, after, labels);
  if (before.money.status !== 'settled' && after.money.status === 'settled') await gatewayCosts.count(after, labels);
}

async function countOutcome(
  store: Store,
  metrics: Metrics,
  attempt: AttemptRecord,
  labels: Readonly<Record<string, string>>,
  call: Readonly<Record<string, string>>,
): Promise<void> {
  const { outcome, endedAtMs, reservedAtMs } = attempt;
  const isReply = outcome?.type === 'reply';
  const cameTo = outcome?.type === 'failed' ? outcome.verdict.class : 'ok';
  metrics.count(METRIC.attempts, 1, { ...labels, [TOLLGATE.outcome]: cameTo });
  const seconds = ((endedAtMs ?? reservedAtMs) - reservedAtMs) / 1_000;
  metrics.record(METRIC.operationDuration, seconds, { ...call, ...(isReply ? {} : { [GEN_AI.errorType]: cameTo }) });
  if (isReply && attempt.ordinal > 1 && (await isFallback(store, attempt))) metrics.count(METRIC.fallbacks, 1, labels);
}

/** As reports count it: an earlier candidate of the step was tried or passed over. */
async function isFallback(store: Store, { runKey, step, ordinal, model }: AttemptRecord): Promise<boolean> {
  const tried = [...(await store.listAttempts(runKey)), ...(await store.listSkips(runKey))];
  return tried.some((earlier) => earlier.step === step && earlier.ordinal < ordinal && earlier.model !== model);
}

function countTokens(metrics: Metrics, { usage }: AttemptRecord, labels: Readonly<Record<string, string>>, call: Readonly<Record<string, string>>): void {
  if (!usage) return;
  metrics.record(METRIC.tokenUsage, usage.inputTokens, { ...call, [GEN_AI.tokenType]: 'input' });
  metrics.record(METRIC.tokenUsage, usage.outputTokens, { ...call, [GEN_AI.tokenType]: 'output' });
  const kinds = {
    input: usage.inputTokens,
    cachedInput: usage.cachedInputTokens,
    cacheWrite: usage.cacheWriteTokens,
    output: usage.outputTokens,
    reasoning: usage.reasoningTokens,
  };
  for (const [kind, count] of Object.entries(kinds)) metrics.count(METRIC.tokens, count, { ...labels, [METRIC_LABEL.tokenKind]: kind });
}

/** A charge may come after a hold was given up or released: what no reservation covered then is an overrun. */
function countMoney(metrics: Metrics, { money: before }: Seen, { money: after }: AttemptRecord, labels: Readonly<Record<string, string>>): void {
  if (before.status === after.status) return;
  if (after.status === 'writtenOff') metrics.count(METRIC.writtenOffUsd, after.reservedNanoUsd / 1e9, labels);
  if (after.status !== 'settled') return;
  const charged = after.settledNanoUsd ?? 0;
  metrics.count(METRIC.settledUsd, charged / 1e9, labels);
  metrics.count(METRIC.overrunUsd, (charged - (before.status === 'released' ? 0 : after.reservedNanoUsd)) / 1e9, labels);
}
