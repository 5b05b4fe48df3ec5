import type { ModelRequest } from '../../contracts/model.ts';
import type { CandidateSnapshot } from '../../contracts/task.ts';
import { lostReport, notSentReport, reportOf } from '../../domain/budget/outcome-report.ts';
import type { CallContext, ModelEndpoint, Progress, ProviderResult } from '../../domain/model/provider-port.ts';
import type { AttemptRecord } from '../../domain/store/port.ts';
import { persist } from '../heartbeat.ts';
import type { ActivityPorts } from '../ports.ts';
import { ReplyWait } from './reply-wait.ts';

/** A reply that streams for longer than this has its request's id journalled before it ends, in case its worker does not live to. */
const JOURNAL_ID_AFTER_MS = 500;
/** What is left to ask for a background response when the call's own deadline has passed while no worker was there. */
const LEAST_RECOVERY_MS = 5_000;

export interface Dispatch {
  readonly attempt: AttemptRecord;
  readonly candidate: CandidateSnapshot;
  readonly endpoint: ModelEndpoint;
  readonly request: ModelRequest;
  readonly timeoutMs: number;
  readonly context: CallContext;
}

/** Who looks on while a call is under way. */
export interface Onlooker {
  readonly cancelled: AbortSignal;
  readonly onProgress: (progress: Progress) => void;
}

/** Sends a reserved attempt once and journals what came of it, whoever still listens. A sender that is late does not send. */
export async function sendAttempt({ store }: ActivityPorts, dispatch: Dispatch, { cancelled, onProgress }: Onlooker): Promise<AttemptRecord> {
  const { attempt, candidate, endpoint, request, timeoutMs, context } = dispatch;
  const { runKey, attemptId } = attempt;
  if ((await store.nowMs()) > attempt.dispatchDeadlineMs || cancelled.aborted)
    return persist(() => store.reportAttempt(runKey, attemptId, notSentReport('The worker was too late to send; nothing was sent.')));
  const wait = new ReplyWait({ timeoutMs, cancelled, stop: (id) => endpoint.cancelResponse(id) });
  let journalId: NodeJS.Timeout | undefined;
  try {
    const result = await endpoint.send(request, {
      signal: wait.signal,
      clientRequestId: attemptId,
      context,
      onProgress,
      onResponseId: async (id) => {
        await persist(() => store.setResponseId(runKey, attemptId, id));
        wait.isInBackground(id);
      },
      onProviderRequestId: (id) => {
        journalId = setTimeout(() => store.setProviderRequestId(runKey, attemptId, id).catch(() => undefined), JOURNAL_ID_AFTER_MS);
      },
    });
    return await persist(async () => store.reportAttempt(runKey, attemptId, reportOf(inTime(result, wait), candidate.price, await store.nowMs())));
  } finally {
    clearTimeout(journalId);
    wait.close();
  }
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
  const { runKey, attemptId, responseId, outcome, reservedAtMs } = attempt;
  if (outcome) return attempt;
  if (responseId === null || !endpoint) {
    const message = 'The worker died or froze during the call; whether the provider did the work is not known, so its money stays held.';
    return persist(() => store.reportAttempt(runKey, attemptId, lostReport(message)));
  }
  const leftMs = Math.max(LEAST_RECOVERY_MS, reservedAtMs + timeoutMs - (await store.nowMs()));
  const wait = new ReplyWait({ timeoutMs: leftMs, cancelled, stop: (id) => endpoint.cancelResponse(id) });
  wait.isInBackground(responseId);
  try {
    const result = await endpoint.awaitResponse(responseId, { model: candidate.wireModel, signal: wait.signal });
    return await persist(async () => store.reportAttempt(runKey, attemptId, reportOf(inTime(result, wait), candidate.price, await store.nowMs())));
  } finally {
    wait.close();
  }
}

/** A background response that was stopped because it took too long came to a timeout, whatever it cost. */
function inTime(result: ProviderResult, wait: ReplyWait): ProviderResult {
  if (result.type !== 'unusable' || !wait.isPastDeadline) return result;
  return { ...result, type: 'failure', signal: { transport: 'timeout' }, begun: true, message: `No reply within the deadline. ${result.message}` };
}
