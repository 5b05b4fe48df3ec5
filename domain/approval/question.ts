import type { NoAnswer, QuestionAnswer, QuestionRefusal } from '../../contracts/approval.ts';
import type { AttemptId } from '../../contracts/ids.ts';
import type { Question } from '../../contracts/statement.ts';
import { objectionToPart, type Participant } from './delegation.ts';
import type { GateAnswer, GateQuestion, GateRecord } from './gate-record.ts';

/** Each costs a model call of the run's budget. */
export const MAX_QUESTIONS_PER_GATE = 10;
/** Of an answer, what stands at the gate; all of it is in the journal. */
const MAX_ANSWER_LENGTH = 4_000;
const MAX_ARGUMENTS_LENGTH = 8_000;

/** A question whose signature was verified. */
export interface VerifiedQuestion {
  readonly question: Question;
  /** What is asked, as the worker redacted it. */
  readonly text: string;
  readonly asker: Participant;
}

export interface QuestionTransition {
  /** The row to store; null where nothing changes. */
  readonly gate: GateRecord | null;
  readonly answer: QuestionAnswer;
}

/**
 * Puts a question to the agent at its gate, at the store's time. Whoever may decide there may ask. What the gate asks for, who
 * has decided and its times stay as they are. The same question twice gets the same answer. Pure.
 */
export function ask(gate: GateRecord, { question, text, asker }: VerifiedQuestion, nowMs: number): QuestionTransition {
  const { questionId, asker: by, displayName } = question;
  const known = gate.questions?.find((other) => other.questionId === questionId);
  if (known?.by === by) return accepted(null, gate, questionId, 'You have asked this already.');
  const refusal: Refusal | null = known
    ? ['malformed', `Somebody else has asked a question of the id ${questionId}.`]
    : refusalOf(gate, question, asker, nowMs);
  if (refusal) return { gate: null, answer: { type: 'refused', reason: refusal[0], gateStatus: gate.status, message: refusal[1] } };
  const name = displayName === undefined ? {} : { displayName };
  const asked: GateQuestion = { questionId, by, ...name, text, atMs: nowMs, actionDigest: gate.actionDigest };
  return accepted({ ...gate, questions: [...(gate.questions ?? []), asked] }, gate, questionId, 'The agent is asked; its answer will stand at the gate.');
}

type Refusal = readonly [QuestionRefusal, string];

function refusalOf(gate: GateRecord, question: Question, asker: Participant, nowMs: number): Refusal | null {
  if (question.approvalId !== gate.approvalId) return ['unknownGate', 'The signed question is for another gate.'];
  if (question.agentRunId !== gate.runKey.agentRunId || question.firstExecutionRunId !== gate.runKey.firstExecutionRunId)
    return ['unknownGate', 'The signed question is for another run.'];
  if (question.actionDigest !== gate.actionDigest)
    return ['wrongDigest', `The question names action digest ${question.actionDigest}, but the gate asks for ${gate.actionDigest}. Look at the action again.`];
  const objection = objectionToPart(gate, asker, nowMs);
  if (objection) return objection;
  if (nowMs >= question.expiresAtMs) return ['expired', 'The signed question has expired; ask again.'];
  if ((gate.questions?.length ?? 0) >= MAX_QUESTIONS_PER_GATE)
    return ['tooManyQuestions', `The gate has had ${MAX_QUESTIONS_PER_GATE} questions and takes no more; approve or deny it.`];
  return null;
}

function accepted(next: GateRecord | null, { status }: GateRecord, questionId: string, message: string): QuestionTransition {
  return { gate: next, answer: { type: 'accepted', questionId, gateStatus: status, message } };
}

export type AgentsWords =
  | { readonly type: 'answered'; readonly text: string; readonly model: string; readonly attemptId: AttemptId }
  | { readonly type: 'notAnswered'; readonly why: NoAnswer; readonly message: string };

/**
 * Writes beside a question what the agent said, or why it said nothing; the first answer stays. Whatever it says, nothing else of
 * the gate changes, whatever has become of the gate. Null where there is no such question, or it has its answer.
 */
export function answered(gate: GateRecord, questionId: string, words: AgentsWords, nowMs: number): GateRecord | null {
  if (!gate.questions?.some((question) => question.questionId === questionId && !question.answer)) return null;
  const answer: GateAnswer = words.type === 'answered' ? { ...words, text: cut(words.text), atMs: nowMs } : { ...words, atMs: nowMs };
  return { ...gate, questions: gate.questions.map((question) => (question.questionId === questionId ? { ...question, answer } : question)) };
}

function cut(text: string): string {
  return text.length <= MAX_ANSWER_LENGTH ? text : `${text.slice(0, MAX_ANSWER_LENGTH)} … (${text.length} characters in all)`;
}

/** What the model is asked, in a message beside its transcript. */
export function questionText({ tool, destination, arguments: asked }: Pick<GateRecord, 'tool' | 'destination' | 'arguments'>, text: string): string {
  const shown = JSON.stringify(asked);
  const args = shown.length <= MAX_ARGUMENTS_LENGTH ? shown : `${shown.slice(0, MAX_ARGUMENTS_LENGTH)} … (cut off)`;
  return [
    `A person has to decide about ${tool} at ${destination} with the arguments ${args}. It waits, and nothing of it has been done.`,
    'Before deciding they ask you the question below. Answer it in plain words, from what you know from this conversation; say so where you do not know.',
    'You cannot call tools now, and nothing that you answer approves, denies or changes anything.',
    `Question: ${text}`,
  ].join('\n');
}

/** Names the transcript node of a question. */
export function questionNodeId(questionId: string): string {
  return `question:${questionId}`;
}
