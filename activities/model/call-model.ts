import { activityInfo, Context } from '@temporalio/activity';
import type { CallModelInput, CallModelOutcome, TranscriptHead } from '../../contracts/agent-run.ts';
import { invariant, TollgateError } from '../../contracts/failures.ts';
import type { TaskSnapshot } from '../../contracts/task.ts';
import { modelRequest } from '../../domain/agent-run/model-request.ts';
import { isTooLargeFor } from '../../domain/model/context-window.ts';
import type { CallContext } from '../../domain/model/provider-port.ts';
import { verdictFor } from '../../domain/model/error-classifier.ts';
import type { AttemptRecord, NewAttempt, Rejection } from '../../domain/store/port.ts';
import { candidateAt, loadRunFacts, loadSnapshot, promptVersionOf, type RunFacts } from '../agent-run/snapshot.ts';
import { traceparentBelow } from '../../telemetry/trace-ids.ts';
import { demandRunning } from '../approval/stopped.ts';
import { canonicalDigest } from '../digest.ts';
import { withHeartbeat } from '../heartbeat.ts';
import type { ActivityPorts } from '../ports.ts';
import { redactingEndpoint } from '../redaction/redact-reply.ts';
import { mustNotBeRestored } from '../restored.ts';
import { outcomeOfAttempt } from './attempt-outcome.ts';
import { admitToEndpoint, type EndpointAdmission, giveLeaseBack, reportRecovered, reportToBreaker } from './breaker.ts';
import { type Amounts, boundByBytes, boundByTokens, setAside } from './bounds.ts';
import { denied, passOver } from './passed-over.ts';
import { type Dispatch, recoverAttempt, sendAttempt } from './send-attempt.ts';
import { transcriptAt } from './transcript.ts';

/** After this long from its reservation a sender no longer sends. Shorter than the heartbeat timeout, after which another may recover. */
const DISPATCH_WINDOW_MS = 3_000;

/**
 * One try of one model. Inserting the attempt row, with its reservation, is the permission to send; an attempt that has
 * its row already is recovered and never sent again.
 */
export async function callModel(ports: ActivityPorts, input: CallModelInput): Promise<CallModelOutcome> {
  const wasReserved = (activityInfo().heartbeatDetails as { reserved?: boolean } | undefined)?.reserved === true;
  return withHeartbeat({ reserved: true, initially: wasReserved }, async (heartbeat, onProgress) => {
    const { store } = ports;
    const run = await loadRunFacts(store, input.runKey);
    const snapshot = await loadSnapshot(store, run.snapshotDigest);
    const known = await store.getAttempt(input.runKey, input.attemptId);
    if (known) return recover(ports, snapshot, known);
    if (wasReserved)
      throw new TollgateError(
        'journalMissing',
        `Attempt ${input.attemptId} was reserved, and the store lacks it. Nothing was sent now. Was the store restored from a backup? Cancel the run, or restore the newer store.`,
      );

    await demandRunning(ports, input.runKey, { task: snapshot.task.name, tenant: run.tenant });
    await mustNotBeRestored(store, `attempt ${input.attemptId}`);

    const prepared = await reserve(ports, input, run, snapshot);
    switch (prepared.type) {
      case 'answer':
        return prepared.outcome;
      case 'exists':
        return recover(ports, snapshot, prepared.attempt);
      case 'reserved': {
        heartbeat();
        const { candidate } = prepared.dispatch;
        const { cancellationSignal: cancelled } = Context.current();
        const sent = await sendAttempt(ports, prepared.dispatch, { cancelled, onProgress });
        if (!cancelled.aborted) await reportToBreaker(store, candidate, sent, prepared);
        return outcomeOfAttempt(ports, snapshot, sent, false);
      }
    }
  });
}

async function recover(ports: ActivityPorts, snapshot: TaskSnapshot, attempt: AttemptRecord): Promise<CallModelOutcome> {
  const candidate = snapshot.candidates.find(({ model, endpoint }) => model === attempt.model && endpoint === attempt.endpoint);
  invariant(candidate, `attempt ${attempt.attemptId} used a model of the pinned task`);
  const configured = ports.catalogue.endpoint(attempt.endpoint);
  const endpoint = configured && redactingEndpoint(ports, attempt, configured);
  const recovered = await recoverAttempt(
    ports,
    { attempt, candidate, endpoint, timeoutMs: snapshot.task.limits.modelTimeoutMs },
    Context.current().cancellationSignal,
  );
  await reportRecovered(ports.store, candidate, recovered);
  return outcomeOfAttempt(ports, snapshot, recovered, true);
}

type Prepared =
  | { readonly type: 'answer'; readonly outcome: CallModelOutcome }
  | { readonly type: 'exists'; readonly attempt: AttemptRecord }
  | { readonly type: 'reserved'; readonly dispatch: Dispatch; readonly isProbe: boolean };

async function reserve(ports: ActivityPorts, input: CallModelInput, run: RunFacts, snapshot: TaskSnapshot): Promise<Prepared> {
  const { store, catalogue } = ports;
  const { snapshotDigest } = run;
  const candidate = candidateAt(snapshot, input.candidateIndex);
  const endpoint = catalogue.endpoint(candidate.endpoint);
  if (!endpoint) return { type: 'answer', outcome: await noEndpoint(ports, input, candidate.endpoint) };

  const { modelTimeoutMs: timeoutMs } = snapshot.task.limits;
  let admission: EndpointAdmission | null = null;
  let rejected: Rejection | 'contextTooSmall' | null = null;
  for (let head: TranscriptHead | null = input.head; head; head = input.mode === 'wrapUp' ? await earlierHead(ports, input, head) : null) {
    const messages = await transcriptAt(store, input.runKey, head);
    const request = modelRequest(snapshot, candidate, messages, input.mode);
    const earlier = await store.findReply(input.runKey, input.step, requestDigestOf(input, snapshotDigest, head));
    if (earlier) return { type: 'answer', outcome: await outcomeOfAttempt(ports, snapshot, earlier, true) };
    if (isTooLargeFor(candidate.contextWindow, endpoint.bodyBytes(request))) {
      rejected ??= 'contextTooSmall';
      continue;
    }
    admission ??= await admitToEndpoint(store, candidate, input.attemptId, timeoutMs);
    if (admission.type === 'refused') return { type: 'answer', outcome: await passOver(ports, input, candidate, { reason: 'breakerOpen', ...admission }) };
    // By its bytes first, which costs nothing; counted only where that does not fit.
    const context = callContext(run, snapshot, input);
    const dispatchOf = (attempt: AttemptRecord) => ({ attempt, candidate, endpoint: redactingEndpoint(ports, attempt, endpoint), request, timeoutMs, context });
    for (const boundOf of [boundByBytes, boundByTokens]) {
      const bound = await boundOf(ports, { candidate, endpoint, request });
      if (bound === null) continue;
      const aside = await setAside(ports, snapshot, messages, input, boundOf);
      const attempt = newAttempt(input, { snapshot, snapshotDigest, head, bound, aside, nowMs: await store.nowMs() });
      const reserved = await store.reserveAttempt(attempt);
      if (reserved.type === 'exists') return reserved;
      if (reserved.type === 'reserved') return { type: 'reserved', dispatch: dispatchOf(reserved.attempt), isProbe: admission.type === 'probe' };
      // What is asked of people is what the nearest place needs, as closely as it is known.
      if (head === input.head || rejected === null || rejected === 'contextTooSmall') rejected = reserved;
    }
  }
  if (admission?.type === 'probe') await giveLeaseBack(store, candidate, input.attemptId);
  invariant(rejected, 'a reservation was tried');
  if (rejected === 'contextTooSmall') return { type: 'answer', outcome: await passOver(ports, input, candidate, { reason: rejected }) };
  return { type: 'answer', outcome: await denied(ports, input, candidate, rejected) };
}

function callContext(run: RunFacts, snapshot: TaskSnapshot, { attemptId, step }: CallModelInput): CallContext {
  const { runKey, task, tenant, feature, requester, parentRunKeys } = run;
  return {
    traceparent: traceparentBelow(run, { type: 'attempt', attemptId }),
    session: (parentRunKeys.at(-1) ?? runKey).agentRunId,
    agentRunId: runKey.agentRunId,
    attemptId,
    step,
    task,
    tenant,
    feature,
    requester,
    promptVersion: promptVersionOf(snapshot),
  };
}

interface Reservation {
  readonly snapshot: TaskSnapshot;
  readonly snapshotDigest: string;
  readonly head: TranscriptHead;
  readonly bound: Amounts;
  /** Kept free beside it. */
  readonly aside: Amounts;
  readonly nowMs: number;
}

function newAttempt(input: CallModelInput, { snapshot, snapshotDigest, head, bound, aside, nowMs }: Reservation): NewAttempt {
  const candidate = candidateAt(snapshot, input.candidateIndex);
  return {
    runKey: input.runKey,
    attemptId: input.attemptId,
    step: input.step,
    ordinal: input.ordinal,
    mode: input.mode,
    model: candidate.model,
    provider: candidate.provider,
    endpoint: candidate.endpoint,
    requestDigest: requestDigestOf(input, snapshotDigest, head),
    head,
    reservedNanoUsd: bound.nanoUsd,
    setAsideNanoUsd: aside.nanoUsd,
    reservedTokens: bound.tokens,
    setAsideTokens: aside.tokens,
    dispatchDeadlineMs: nowMs + DISPATCH_WINDOW_MS,
  };
}

/**
 * Names a request: the pinned task, the model, the place in the transcript, what is asked for. Transcript nodes and replies
 * never change, so the place stands for all that was said; a digest over the text would read it anew at every step.
 */
function requestDigestOf({ candidateIndex, mode }: CallModelInput, snapshotDigest: string, head: TranscriptHead): string {
  return canonicalDigest({ snapshotDigest, candidateIndex, mode, head: { ...head } });
}

/** The place one step earlier: a last answer that no longer fits from the newest place may fit from there. */
async function earlierHead({ store }: ActivityPorts, { runKey }: CallModelInput, head: TranscriptHead): Promise<TranscriptHead | null> {
  return head.attemptId === null ? null : ((await store.getAttempt(runKey, head.attemptId))?.head ?? null);
}

async function noEndpoint({ store }: ActivityPorts, { runKey }: CallModelInput, endpoint: string): Promise<CallModelOutcome> {
  const ledger = await store.getLedger(runKey);
  invariant(ledger, 'a run has a ledger');
  return { type: 'failed', verdict: verdictFor('modelNotFound', 'no'), message: `This worker's configuration has no endpoint "${endpoint}" any more.`, ledger };
}
