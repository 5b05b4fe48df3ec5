import { createHash, randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import type { QuestionAnswer, QuestionRefusal, QuestionRequest } from '../contracts/approval.ts';
import { TollgateError } from '../contracts/failures.ts';
import type { ActionDigest, ApprovalId, RunKey } from '../contracts/ids.ts';
import { questionSchema } from '../contracts/statement.ts';
import { askQuestionUpdate } from '../contracts/temporal.ts';
import type { DecisionSigner } from '../domain/approval/key-port.ts';
import { questionContext } from '../domain/redaction/sealing-context.ts';
import { tokensIn } from '../domain/redaction/token-text.ts';
import type { Store } from '../domain/store/port.ts';
import { type Identity, SIGNATURE_VALID_MS } from './decision.ts';
import { type ClaimResult, releaseGate, takeGate } from './gate-claim.ts';
import { type ClientRedaction, redactOutgoing } from './redaction.ts';
import { noSuchGate } from './run-reader.ts';
import { updateRun } from './run-update.ts';

const MAX_SIGNED_LENGTH = 16_000;
export const MAX_QUESTION_LENGTH = 2_000;
/** Marks in place of values may be longer than these; what is signed takes so much. */
const MAX_REDACTED_LENGTH = 4_000;

export interface QuestionToAsk {
  readonly text: string;
  /** What the gate showed; default: what it asks for now. */
  readonly actionDigest?: string;
  /** The same id again is the same question, so that sending it again is safe. Default: made up. */
  readonly questionId?: string;
}

/** What became of asking. The agent's answer stands at the gate, once it is there. `undecided`: nobody answered in time, and it may still arrive. */
export type QuestionResult = QuestionAnswer | { readonly type: 'undecided'; readonly questionId: string; readonly message: string };

/** What an approver may do at an open gate beside deciding. */
export interface AttentionDoor {
  /** Asks the agent of the gate's run; it answers from what it knows, without any tool, paid from the run's budget. Nothing is decided. */
  ask(approvalId: string, question: QuestionToAsk): Promise<QuestionResult>;
  /** Shows others that somebody looks at it, for ten minutes; binds nobody. */
  take(approvalId: string): Promise<ClaimResult>;
  /** Gives it back. */
  release(approvalId: string): Promise<ClaimResult>;
}

export interface AttentionPorts {
  readonly client: Client;
  readonly identity: Identity;
  readonly signer?: DecisionSigner;
  readonly store?: Store;
  readonly redaction: () => Promise<ClientRedaction>;
  /** Puts what goes wrong with Temporal into our words. */
  readonly reaching: <T>(call: () => Promise<T>) => Promise<T>;
}

/** Questions go through the run, signed; who looks at a gate is written into the store, which says so to others and to nobody else. */
export function createAttentionDoor(ports: AttentionPorts): AttentionDoor {
  return {
    ask: (approvalId, question) => ask(ports, approvalId as ApprovalId, question),
    take: (approvalId) => takeGate(needStore(ports.store, 'taking a gate'), ports.identity, approvalId as ApprovalId),
    release: (approvalId) => releaseGate(needStore(ports.store, 'giving a gate back'), ports.identity, approvalId as ApprovalId),
  };
}

async function ask(ports: AttentionPorts, approvalId: ApprovalId, { text, actionDigest, questionId = randomUUID() }: QuestionToAsk): Promise<QuestionResult> {
  const { identity, signer } = ports;
  const store = needStore(ports.store, 'asking at a gate');
  if (!signer)
    throw new TollgateError(
      'invalidInput',
      'This client has no signer, and only a signed question counts. Give createAgentClient({ signer }), or ask through the API or the CLI.',
    );
  const said = text.trim();
  if (said === '' || said.length > MAX_QUESTION_LENGTH)
    throw new TollgateError('invalidInput', `text: a question has 1 to ${MAX_QUESTION_LENGTH} characters; this one has ${said.length}.`);
  const gate = await store.findGate(approvalId);
  const run = gate && (await store.getRun(gate.runKey));
  if (!gate || !run) return { type: 'refused', reason: 'unknownGate', gateStatus: null, message: noSuchGate(approvalId).message };
  const { runKey } = gate;
  const whose = { tenant: run.tenant, feature: run.feature, shown: tokensIn([gate.arguments, gate.reason]) };
  const outgoing = await redactOutgoing(
    await ports.redaction(),
    { ...whose, context: questionContext(runKey.agentRunId, questionId), refusal: 'Nothing was asked.' },
    said,
  );
  if (outgoing.value.length > MAX_REDACTED_LENGTH) throw new TollgateError('invalidInput', 'text: too many personal values stand in the question. Shorten it.');
  const digest = (actionDigest ?? gate.actionDigest) as ActionDigest;
  const signedQuestion = signer.signStatement(
    questionSchema.parse({
      version: 1,
      statement: 'question',
      questionId,
      ...runKey,
      approvalId,
      actionDigest: digest,
      text: outgoing.value,
      asker: identity.name,
      ...(identity.displayName === undefined ? {} : { displayName: identity.displayName }),
      roles: [...identity.roles],
      expiresAtMs: Date.now() + SIGNATURE_VALID_MS,
    }),
  );
  if (signedQuestion.length > MAX_SIGNED_LENGTH)
    throw new TollgateError('invalidInput', `The question has ${signedQuestion.length} bytes as signed, and ${MAX_SIGNED_LENGTH} is the most. Shorten it.`);
  const sealed = outgoing.redaction ? { redaction: outgoing.redaction } : {};
  return await ports.reaching(() => send(ports.client, runKey, { approvalId, actionDigest: digest, questionId, signedQuestion, ...sealed }));
}

async function send(client: Client, runKey: RunKey, request: QuestionRequest): Promise<QuestionResult> {
  const updateId = createHash('sha256').update(request.signedQuestion).digest('hex');
  const end = await updateRun(client, runKey, askQuestionUpdate, request, updateId);
  switch (end.type) {
    case 'answered':
      return end.answer;
    case 'rejected':
      return {
        type: 'refused',
        reason: (end.reason as QuestionRefusal | null) ?? 'malformed',
        gateStatus: null,
        message: end.message ?? 'The run rejected the question.',
      };
    case 'noAnswer': {
      const message = 'No worker answered within 10 seconds; the question may still arrive. Look at the gate again, and start a worker if none runs.';
      return { type: 'undecided', questionId: request.questionId, message };
    }
    case 'runEnded': {
      const message = `The run ${runKey.agentRunId} has ended, so its gates are closed; nobody is there to ask.`;
      return { type: 'refused', reason: 'closed', gateStatus: null, message };
    }
  }
}

function needStore(store: Store | undefined, what: string): Store {
  if (store) return store;
  throw new TollgateError('invalidInput', `This client has no store, and ${what} needs one. Give createAgentClient({ store }).`);
}
