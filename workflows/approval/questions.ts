import { ActivityFailure, ApplicationFailure, CancellationScope, condition, isCancellation, log, setHandler } from '@temporalio/workflow';
import type { CallModelOutcome, RecordAnswerInput } from '../../contracts/agent-run.ts';
import type { QuestionAnswer, QuestionRequest } from '../../contracts/approval.ts';
import { askQuestionUpdate } from '../../contracts/temporal.ts';
import { countQuestion, questionHead, setAnswered } from '../../domain/agent-run/position.ts';
import { objectionToQuestion, readQuestionRequest } from '../../domain/approval/question-guard.ts';
import { journal } from '../activity-options.ts';
import type { RunState } from '../agent-run/run-state.ts';
import { callModel } from '../model/call-model.ts';
import { readable } from '../readable.ts';

/** A person waits for the answer: what does not come soon is not waited for. */
const MAX_TRIES = 4;
const MAX_WAIT_MS = 20_000;
const MAX_ANSWERING_MS = 120_000;

/**
 * Registers the update by which people ask the agent something at a gate. The update answers whether the question is taken; the
 * model is asked beside the loop, which goes on waiting, from a branch of the transcript that no step goes on from. One
 * question is handled at a time. A run continues as new, and ends, when no answer is under way.
 *
 * No `patched` id: an update that an older worker does not know is rejected before history is written, so no history of
 * before has one.
 */
export function handleQuestions(run: RunState): void {
  let previous: Promise<unknown> = Promise.resolve();

  const objection = (request: QuestionRequest | null) => objectionToQuestion(request, run.isPinned && !run.position.end ? run.position.gates : []);
  // A run that was cancelled undoes what it did, and people ask about that.
  const scoped = <T>(body: () => Promise<T>) => (run.isPinned && run.position.undoing ? CancellationScope.nonCancellable(body) : body());

  async function record(request: QuestionRequest): Promise<QuestionAnswer> {
    const refused = objection(request);
    if (refused) return { type: 'refused', gateStatus: null, ...refused };
    run.move((position) => countQuestion(position, request.approvalId));
    const { answer, nodeId } = await journal.recordQuestion.executeWithOptions({ summary: readable(`question at ${request.approvalId}`) }, [
      { version: 1, runKey: run.runKey, request },
    ]);
    if (nodeId !== undefined && run.takeQuestion(request.questionId)) enqueue(request, nodeId);
    return answer;
  }

  function enqueue(request: QuestionRequest, nodeId: string): void {
    run.answersUnderWay += 1;
    previous = previous
      .then(() => scoped(() => answer(run, request, nodeId)))
      .catch((error: unknown) => log.warn('a question was left without an answer', { questionId: request.questionId, error: String(error) }))
      .finally(() => {
        run.answersUnderWay -= 1;
      });
  }

  setHandler(askQuestionUpdate, (payload) => scoped(() => record(readQuestionRequest(payload) as QuestionRequest)), {
    validator: (payload) => {
      const refused = objection(readQuestionRequest(payload));
      if (refused) throw ApplicationFailure.nonRetryable(refused.message, refused.reason);
    },
  });
}

/** Waits until no answer is under way: what is paid for one is in the run's ledger then. Not called where none is, so that histories of before replay. */
export async function answersGiven(run: RunState): Promise<void> {
  await condition(() => run.answersUnderWay === 0);
}

async function answer(run: RunState, { approvalId, questionId }: QuestionRequest, nodeId: string): Promise<void> {
  const outcome = await askModel(run, approvalId, nodeId);
  const written: RecordAnswerInput = { version: 1, runKey: run.runKey, approvalId, questionId, outcome };
  if (outcome.type === 'answered') run.move((position) => setAnswered(position, approvalId, outcome.attemptId));
  await journal.recordAnswer.executeWithOptions({ summary: readable(`answer at ${approvalId}`) }, [written]);
}

/** Whatever goes wrong with an answer is said at the gate, and nothing of the run. */
async function askModel(run: RunState, approvalId: QuestionRequest['approvalId'], nodeId: string): Promise<RecordAnswerInput['outcome']> {
  const { task, position } = run;
  const isOpen = position.gates.some((gate) => gate.approvalId === approvalId && gate.status === 'open');
  if (!isOpen) return { type: 'notAnswered', why: 'failed', message: 'It was decided before the agent was asked.' };
  if (run.isHeld) return { type: 'notAnswered', why: 'failed', message: 'An operator paused the run; the agent is not asked meanwhile.' };
  const deadlineMs = Date.now() + MAX_ANSWERING_MS;
  const soon = { maxAttemptsPerStep: Math.min(task.maxAttemptsPerStep, MAX_TRIES), maxRetryWaitMs: Math.min(task.maxRetryWaitMs, MAX_WAIT_MS) };
  try {
    const outcome = await callModel({
      run,
      task: { ...task, ...soon, onQuotaDenied: 'fail' },
      step: position.step,
      head: questionHead(position, approvalId, nodeId),
      mode: 'answer',
      leftMs: () => deadlineMs - Date.now(),
    });
    run.move((current) => ({ ...current, ledger: outcome.ledger }));
    return toWords(outcome);
  } catch (error) {
    if (isCancellation(error) || !(error instanceof ActivityFailure)) throw error;
    return { type: 'notAnswered', why: 'failed', message: reasonOf(error) };
  }
}

function toWords(outcome: CallModelOutcome): RecordAnswerInput['outcome'] {
  if (outcome.type === 'reply') return { type: 'answered', attemptId: outcome.attemptId, model: outcome.model };
  return { type: 'notAnswered', why: outcome.type === 'budgetDenied' ? 'budget' : 'failed', message: outcome.message };
}

/** The last failure behind one that was tried again until its time was up. */
function reasonOf({ cause, message }: ActivityFailure): string {
  return cause?.cause instanceof Error ? cause.cause.message : (cause?.message ?? message);
}
