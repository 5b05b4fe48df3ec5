import type { RecordAnswerInput, RecordAnswerOutcome } from '../../contracts/agent-run.ts';
import type { AttemptId, RunKey } from '../../contracts/ids.ts';
import type { JsonObject } from '../../contracts/json.ts';
import type { GateAnswer } from '../../domain/approval/gate.ts';
import { type AgentsWords, answered } from '../../domain/approval/question.ts';
import { createScrubber } from '../../domain/redaction/scrub.ts';
import type { ActivityPorts } from '../ports.ts';
import { runOfText } from '../redaction/run-of-text.ts';

/**
 * Writes what the agent answered to a question beside it, from the journal, where a reply was redacted before it was written. It
 * is words for people: neither votes nor status of the gate change. Audited. The same call again changes nothing.
 */
export async function recordAnswer(ports: ActivityPorts, { runKey, approvalId, questionId, outcome }: RecordAnswerInput): Promise<RecordAnswerOutcome> {
  const { store } = ports;
  const words = outcome.type === 'answered' ? await wordsOf(ports, runKey, outcome) : outcome;
  const shown: AgentsWords =
    words.type === 'notAnswered'
      ? {
          ...words,
          message: createScrubber(ports.redaction)
            .text(words.message, await runOfText(store, runKey))
            .slice(0, 1_000),
        }
      : words;
  const gate = await store.changeGate(runKey, approvalId, (row, nowMs) => {
    const next = answered(row, questionId, shown, nowMs);
    const answer = next?.questions?.find((question) => question.questionId === questionId)?.answer;
    if (!next || !answer) return null;
    const data = { approvalId, questionId, actionDigest: row.actionDigest, ...forAudit(answer) };
    return { gate: next, audit: [{ type: `question.${answer.type}`, runKey, actor: 'tollgate', data }] };
  });
  return { isRecorded: gate?.questions?.some((question) => question.questionId === questionId && question.answer !== undefined) ?? false };
}

/** A model may refuse, call a tool all the same, or say nothing. */
async function wordsOf(
  { store }: ActivityPorts,
  runKey: RunKey,
  { attemptId, model }: { readonly attemptId: AttemptId; readonly model: string },
): Promise<AgentsWords> {
  const attempt = await store.getAttempt(runKey, attemptId);
  // Whoever can schedule activities puts no other words at a gate, nor what policy keeps back.
  const reply = attempt?.mode === 'answer' && !attempt.reply?.blocked ? attempt.reply : null;
  const text = reply?.text?.trim() || reply?.refusal?.trim();
  if (text) return { type: 'answered', text, model, attemptId };
  return { type: 'notAnswered', why: 'failed', message: `${model} answered without words.` };
}

function forAudit(answer: GateAnswer): JsonObject {
  return answer.type === 'answered' ? { text: answer.text, model: answer.model, attemptId: answer.attemptId } : { why: answer.why, message: answer.message };
}
