import type { OpenGate } from '../../contracts/agent-run.ts';
import type { QuestionRefusal, QuestionRequest } from '../../contracts/approval.ts';
import type { ActionDigest, ApprovalId } from '../../contracts/ids.ts';
import type { Travelled } from '../../contracts/travelled.ts';

const MAX_ID_LENGTH = 100;
const MAX_SIGNED_LENGTH = 16_000;
const MAX_REDACTION_LENGTH = 16_000;
const DIGEST = /^[0-9a-f]{64}$/;
/** Refused ones count too: each is in history. */
const MAX_TRIES_PER_GATE = 40;

/** Reads what a stranger sent as a question. Null where it has not the shape of one. Never throws, whatever it is given. */
export function readQuestionRequest(payload: unknown): QuestionRequest | null {
  if (typeof payload !== 'object' || payload === null) return null;
  const { approvalId, actionDigest, questionId, signedQuestion, redaction } = payload as Record<string, unknown>;
  if (!isText(approvalId, MAX_ID_LENGTH) || !isText(questionId, MAX_ID_LENGTH) || !isText(signedQuestion, MAX_SIGNED_LENGTH)) return null;
  if (typeof actionDigest !== 'string' || !DIGEST.test(actionDigest)) return null;
  const sealed = readRedaction(redaction);
  if (sealed === null) return null;
  return { approvalId: approvalId as ApprovalId, actionDigest: actionDigest as ActionDigest, questionId, signedQuestion, ...sealed };
}

/** Its shape as far as history goes; the activity that takes the question in parses the rest. */
function readRedaction(redaction: unknown): Pick<QuestionRequest, 'redaction'> | null {
  if (redaction === undefined || redaction === null) return {};
  if (typeof redaction !== 'object' || Array.isArray(redaction)) return null;
  try {
    return JSON.stringify(redaction).length <= MAX_REDACTION_LENGTH ? { redaction: redaction as Travelled } : null;
  } catch {
    return null;
  }
}

function isText(value: unknown, maxLength: number): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= maxLength;
}

export interface QuestionObjection {
  readonly reason: QuestionRefusal;
  readonly message: string;
}

/** What speaks against even handling a question: shape, gate, digest, number of tries. Pure; runs in the update's validator. */
export function objectionToQuestion(request: QuestionRequest | null, gates: readonly OpenGate[]): QuestionObjection | null {
  if (!request)
    return { reason: 'malformed', message: 'A question is one object {approvalId, actionDigest (64 hex digits), questionId, signedQuestion, redaction?}.' };
  const gate = gates.find((candidate) => candidate.approvalId === request.approvalId);
  if (gate?.status !== 'open')
    return { reason: 'closed', message: `No gate ${request.approvalId} is open in this run; "tollgate approvals list" shows those that are.` };
  if (gate.actionDigest !== request.actionDigest)
    return {
      reason: 'wrongDigest',
      message: `The gate asks for action digest ${gate.actionDigest}, the question names ${request.actionDigest}. Look at the action again.`,
    };
  if ((gate.asked ?? 0) >= MAX_TRIES_PER_GATE) return { reason: 'tooManyQuestions', message: `The gate took ${gate.asked} questions and takes no more.` };
  return null;
}
