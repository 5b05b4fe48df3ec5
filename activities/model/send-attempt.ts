import type { ErrorVerdict, ModelRequest } from '../../contracts/model.ts';
import type { CandidateSnapshot } from '../../contracts/task.ts';
import { ZERO_NANO_USD } from '../../domain/budget/ledger.ts';
import { costOf, usageOfReply } from '../../domain/budget/cost.ts';
import { classifyError, verdictFor } from '../../domain/model/error-classifier.ts';
import type { ModelEndpoint, ProviderResult } from '../../domain/model/provider-port.ts';
import { outcomeOfReply } from '../../domain/model/reply-outcome.ts';
import type { AttemptRecord, OutcomeReport } from '../../domain/store/port.ts';
import { persist } from '../heartbeat.ts';
import type { ActivityPorts } from '../ports.ts';

/** How long a cancelled run still waits for a reply that it pays for anyway. */
const CANCELLATION_GRACE_MS = 10_000;

export interface Dispatch {
  readonly attempt: AttemptRecord;
  readonly candidate: CandidateSnapshot;
  readonly endpoint: ModelEndpoint;
  readonly request: ModelRequest;
  readonly timeoutMs: number;
}

/** Sends a reserved attempt once and journals what came of it, whoever still listens. A sender that is late does not send. */
export async function sendAttempt({ store }: ActivityPorts, dispatch: Dispatch, cancelled: AbortSignal): Promise<AttemptRecord> {
  const { attempt, candidate, endpoint, request } = dispatch;
  const { runKey, attemptId } = attempt;
  if ((await store.nowMs()) > attempt.dispatchDeadlineMs || cancelled.aborted) {
    const late: OutcomeReport = {
      outcome: { type: 'failed', verdict: verdictFor('connectionLost', 'no'), message: 'The worker was too late to send; nothing was sent.' },
      money: { type: 'release' },
    };
    return persist(() => store.reportAttempt(runKey, attemptId, late));
  }
  let responseId: string | null = null;
  const signal = deadlineSignal(dispatch.timeoutMs, cancelled, () => responseId && endpoint.cancelResponse(responseId));
  const result = await endpoint.send(request, {
    signal,
    clientRequestId: attemptId,
    onResponseId: async (id) => {
      responseId = id;
      await persist(() => store.setResponseId(runKey, attemptId, id));
    },
  });
  return persist(async () => store.reportAttempt(runKey, attemptId, reportOf(result, candidate, await store.nowMs())));
}

export interface Recovery {
  readonly attempt: AttemptRecord;
  readonly candidate: CandidateSnapshot;
  readonly endpoint: ModelEndpoint | null;
  readonly timeoutMs: number;
}

/** Finds out what an attempt of an earlier execution came to, without sending it: its outcome, its stored response, or nothing known. */
export async function recoverAttempt(
  { store }: ActivityPorts,
  { attempt, candidate, endpoint, timeoutMs }: Recovery,
  cancelled: AbortSignal,
): Promise<AttemptRecord> {
  const { runKey, attemptId, responseId, outcome } = attempt;
  if (outcome) return attempt;
  if (responseId === null || !endpoint) {
    const verdict = verdictFor('connectionLost', 'unknown');
    const message = 'The worker died or froze during the call; whether the provider did the work is not known, so its money stays held.';
    return persist(() => store.reportAttempt(runKey, attemptId, { outcome: { type: 'failed', verdict, message } }));
  }
  const signal = deadlineSignal(timeoutMs, cancelled, () => endpoint.cancelResponse(responseId));
  const result = await endpoint.awaitResponse(responseId, { signal });
  return persist(async () => store.reportAttempt(runKey, attemptId, reportOf(result, candidate, await store.nowMs())));
}

/** Aborts at the call's own deadline, or some time after a cancellation: what is paid for is waited for, within reason. */
function deadlineSignal(timeoutMs: number, cancelled: AbortSignal, onCancel: () => unknown): AbortSignal {
  const controller = new AbortController();
  const abort = () => controller.abort();
  setTimeout(abort, timeoutMs).unref();
  const soften = () => {
    Promise.resolve(onCancel()).catch(() => undefined);
    setTimeout(abort, CANCELLATION_GRACE_MS).unref();
  };
  if (cancelled.aborted) soften();
  else cancelled.addEventListener('abort', soften, { once: true });
  return controller.signal;
}

function reportOf(result: ProviderResult, candidate: CandidateSnapshot, nowMs: number): OutcomeReport {
  switch (result.type) {
    case 'reply': {
      const judged = outcomeOfReply(result.reply);
      const outcome = judged.type === 'usable' ? ({ type: 'reply' } as const) : judged;
      return { outcome, reply: result.reply, ...paid(usageOfReply(result.usage, result.reply), candidate, result.reply.serviceTier) };
    }
    case 'unusable':
      return { outcome: { type: 'failed', verdict: verdictFor('invalidResponse', 'yes'), message: result.message }, ...paid(result.usage, candidate) };
    case 'failure': {
      const verdict = classifyError(result.signal, nowMs);
      return { outcome: { type: 'failed', verdict, message: result.message }, ...unpaid(verdict, result.signal.transport !== undefined) };
    }
  }
}

/** Complete usage that can be priced settles; a reply without it leaves the money held until the provider can be asked. */
function paid(
  usage: Extract<ProviderResult, { type: 'reply' }>['usage'],
  candidate: CandidateSnapshot,
  serviceTier: string | null = null,
): Pick<OutcomeReport, 'usage' | 'money'> {
  if (!usage) return {};
  const costNanoUsd = costOf(candidate.price, usage, serviceTier);
  return { usage, ...(costNanoUsd === null ? {} : { money: { type: 'settle', costNanoUsd } as const }) };
}

/** Never sent: release. Sent and refused without charge: settle at zero. Anything else stays held. */
function unpaid(verdict: ErrorVerdict, wasTransport: boolean): Pick<OutcomeReport, 'money'> {
  if (verdict.billed !== 'no') return {};
  return { money: wasTransport ? { type: 'release' } : { type: 'settle', costNanoUsd: ZERO_NANO_USD } };
}
