import { z } from 'zod';
import type { RecordQuestionInput, RecordQuestionOutcome } from '../../contracts/agent-run.ts';
import type { QuestionAnswer, QuestionRefusal, QuestionRequest } from '../../contracts/approval.ts';
import { TollgateError } from '../../contracts/failures.ts';
import type { RunKey } from '../../contracts/ids.ts';
import type { JsonObject } from '../../contracts/json.ts';
import type { Question } from '../../contracts/statement.ts';
import { ask, questionNodeId, questionText, type VerifiedQuestion } from '../../domain/approval/question.ts';
import { questionContext } from '../../domain/redaction/sealing-context.ts';
import type { GateRecord } from '../../domain/approval/gate.ts';
import { loadRunFacts, loadSnapshot, type RunFacts } from '../agent-run/snapshot.ts';
import type { ActivityPorts } from '../ports.ts';
import { toRunOfText } from '../redaction/run-of-text.ts';
import { admit } from '../redaction/travelled.ts';
import { delegationsTo } from './delegations.ts';
import { whyStopped } from './stopped.ts';

const SENDERS_FAULT: readonly string[] = ['unreadable', 'invalidInput'];

/**
 * Verifies who asks, redacts the question, and writes it at its gate and as a transcript node that no step goes on from. Audited,
 * whatever comes of it. The same call again answers the same.
 */
export async function recordQuestion(ports: ActivityPorts, { runKey, request }: RecordQuestionInput): Promise<RecordQuestionOutcome> {
  const { store, verifier } = ports;
  const question = verifier.readStatement(request.signedQuestion);
  if (question?.statement !== 'question')
    return refuse(
      ports,
      runKey,
      request,
      null,
      'badSignature',
      'The question is not signed by a key that this worker knows. Ask with "tollgate approvals ask" or through the API.',
    );
  if (question.approvalId !== request.approvalId || question.questionId !== request.questionId || question.actionDigest !== request.actionDigest)
    return refuse(ports, runKey, request, question, 'badSignature', 'What was signed is not what was sent.');
  const run = await loadRunFacts(store, runKey);
  const { delegations } = await delegationsTo(ports, question.asker, run.tenant);
  const asker = {
    name: question.asker,
    roles: question.roles,
    delegations,
    tenant: run.tenant,
    requesterMayDecideByDefault: ports.requesterMayDecideByDefault,
  };
  const shown = await store.getGate(runKey, request.approvalId);
  if (!shown) return refuse(ports, runKey, request, question, 'unknownGate', `The store has no gate ${request.approvalId} of this run.`);
  const first = ask(shown, { question, text: '', asker }, await store.nowMs());
  // Nothing that somebody says who may not ask reaches the vault of the run.
  if (first.answer.type === 'refused') return refuse(ports, runKey, request, question, first.answer.reason, first.answer.message);
  const stopped = whyStopped(ports, await store.stopsFor(runKey, null), { tool: null, task: run.task, tenant: run.tenant });
  if (stopped !== null) return refuse(ports, runKey, request, question, 'stopped', stopped);
  const taken = await takeIn(ports, run, question, request.redaction);
  if ('problem' in taken) return refuse(ports, runKey, request, question, 'redactionBlocked', taken.problem);
  const { answer, gate } = await putAtGate(ports, { gate: shown, question, text: taken.text, asker });
  const isAnswered = gate?.questions?.some((known) => known.questionId === question.questionId && known.answer !== undefined);
  if (answer.type === 'refused' || isAnswered) return { answer };
  const nodeId = questionNodeId(question.questionId);
  await store.putNode(runKey, nodeId, { role: 'user', text: questionText(shown, taken.text) });
  return { answer, nodeId };
}

async function putAtGate(
  { store }: ActivityPorts,
  asked: VerifiedQuestion & { readonly gate: GateRecord },
): Promise<{ readonly answer: QuestionAnswer; readonly gate: GateRecord | null }> {
  const { question, text, gate } = asked;
  let answer: QuestionAnswer = { type: 'refused', reason: 'unknownGate', gateStatus: null, message: `The store has no gate ${gate.approvalId} of this run.` };
  const stored = await store.changeGate(gate.runKey, gate.approvalId, (row, nowMs) => {
    const transition = ask(row, asked, nowMs);
    answer = transition.answer;
    if (transition.gate) return { gate: transition.gate, audit: [entry('question.asked', gate.runKey, question, { text })] };
    if (answer.type === 'accepted') return null;
    return { gate: row, audit: [entry('question.refused', gate.runKey, question, { reason: answer.reason, message: answer.message })] };
  });
  return { answer, gate: stored };
}

function entry(type: string, runKey: RunKey, { asker, approvalId, questionId, actionDigest }: Question, data: JsonObject) {
  return { type, runKey, actor: asker, data: { approvalId, questionId, actionDigest, ...data } };
}

/** Tokens that the gate shows stay tokens; what is new is redacted, its values in the run's vault. */
async function takeIn(
  ports: ActivityPorts,
  run: RunFacts,
  { text, questionId }: Question,
  travelled: QuestionRequest['redaction'],
): Promise<{ readonly text: string } | { readonly problem: string }> {
  const { runKey } = run;
  const ofText = toRunOfText(runKey, run, await loadSnapshot(ports.store, run.snapshotDigest));
  const incoming = { place: 'message', context: questionContext(runKey.agentRunId, questionId), travelled, ofRun: true } as const;
  try {
    const { value, blocked } = await admit(ports, ofText, incoming, text);
    return blocked.length === 0 ? { text: value } : { problem: `The question has ${blocked.join(', ')}, which redaction policy blocks.` };
  } catch (error) {
    const isTheirs = error instanceof SyntaxError || error instanceof z.ZodError || (error instanceof TollgateError && SENDERS_FAULT.includes(error.type));
    if (!isTheirs) throw error;
    return { problem: 'The values that were sealed for the question do not open, or are not there.' };
  }
}

async function refuse(
  { store }: ActivityPorts,
  runKey: RunKey,
  { approvalId, questionId, actionDigest }: QuestionRequest,
  question: Question | null,
  reason: QuestionRefusal,
  message: string,
): Promise<RecordQuestionOutcome> {
  const data = { approvalId, questionId, actionDigest, reason, message };
  await store.appendAudit({ type: 'question.refused', runKey, actor: question?.asker ?? 'unknown', data });
  return { answer: { type: 'refused', reason, gateStatus: null, message } };
}
