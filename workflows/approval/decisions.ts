import { ApplicationFailure, CancellationScope, log, patched, setHandler } from '@temporalio/workflow';
import type { DecisionAnswer, DecisionRequest } from '../../contracts/approval.ts';
import { approveSignal, decideApprovalUpdate, denySignal } from '../../contracts/temporal.ts';
import { countTry, countTryOf, setGateEdited, setGateStatus } from '../../domain/agent-run/position.ts';
import { objectionTo, readDecisionRequest } from '../../domain/approval/decision-guard.ts';
import { NO_TRIES } from '../../domain/approval/tries.ts';
import { journal } from '../activity-options.ts';
import type { RunState } from '../agent-run/run-state.ts';
import { PATCHES } from '../patches.ts';
import { readable } from '../readable.ts';

const WORN_OUT: DecisionAnswer = { type: 'refused', reason: 'tooManyTries', gateStatus: null, message: 'The gate takes no more decisions.' };

/**
 * Registers the update and the two signals by which people decide. All three lead to `decide`; a payload that is no
 * decision, whoever sent it, is refused or dropped and never fails a workflow task. One decision is handled at a time,
 * so that the run sees them in the order in which the store took them.
 */
export function handleDecisions(run: RunState): void {
  let previous: Promise<unknown> = Promise.resolve();

  const objection = (request: DecisionRequest | null) => objectionTo(request, run.isPinned ? run.position.gates : []);

  async function decide(request: DecisionRequest): Promise<DecisionAnswer> {
    // A run that was cancelled undoes what it did, and people decide about that: a handler lives in the cancelled scope.
    const turn = previous.then(() => (run.isPinned && run.position.undoing ? CancellationScope.nonCancellable(() => record(request)) : record(request)));
    previous = turn.catch(() => undefined);
    return turn;
  }

  async function record(request: DecisionRequest): Promise<DecisionAnswer> {
    const refused = objection(request);
    if (refused) return { type: 'refused', gateStatus: null, ...refused };
    const max = run.task.maxTriesPerGate;
    const gate = run.position.gates.find(({ approvalId }) => approvalId === request.approvalId);
    // Where an older worker turned it away.
    if (gate && gate.tries >= max && !patched(PATCHES.triesByPerson)) return WORN_OUT;
    run.move((position) => countTry(position, request.approvalId));
    const { tried, ...answer } = await journal.recordDecision.executeWithOptions({ summary: readable(`${request.verdict} ${request.approvalId}`) }, [
      { version: 1, runKey: run.runKey, request, tries: { ...(gate?.triesOf ?? NO_TRIES), max } },
    ]);
    if (tried !== undefined) run.move((position) => countTryOf(position, request.approvalId, tried, max));
    const { gateStatus } = answer;
    if (gateStatus) run.move((position) => setGateStatus(position, request.approvalId, gateStatus));
    const edited = answer.type === 'accepted' ? answer.edited : undefined;
    if (edited) run.move((position) => setGateEdited(position, request.approvalId, edited));
    return answer;
  }

  async function signalled(payload: unknown, verdict: 'approve' | 'deny'): Promise<void> {
    const request = readDecisionRequest(payload, verdict);
    const refused = objection(request);
    if (!request || refused) {
      log.warn('dropped a signal that is no decision this run can take', { verdict, reason: refused?.reason ?? 'malformed' });
      return;
    }
    try {
      await decide(request);
    } catch (error) {
      // A signal has no sender to answer, and what it throws would end the run.
      log.warn('a signalled decision could not be recorded', { verdict, error: String(error) });
    }
  }

  setHandler(decideApprovalUpdate, (payload) => decide(readDecisionRequest(payload) as DecisionRequest), {
    validator: (payload) => {
      const refused = objection(readDecisionRequest(payload));
      if (refused) throw ApplicationFailure.nonRetryable(refused.message, refused.reason);
    },
  });
  setHandler(approveSignal, (payload) => signalled(payload, 'approve'));
  setHandler(denySignal, (payload) => signalled(payload, 'deny'));
}
