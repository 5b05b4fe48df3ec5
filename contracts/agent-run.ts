import { z } from 'zod';
import type { DecisionAnswer, DecisionRequest, GateKind, GateMoments, GateStatus, NoAnswer, QuestionAnswer, QuestionRequest } from './approval.ts';
import type { Exhausted, LedgerTotals, NanoUsd, OnBudgetExhausted, OnModelsUnavailable, OnQuotaDenied, ScopeKind } from './budget.ts';
import type { ActionDigest, ApprovalId, AttemptId, RunKey } from './ids.ts';
import type { JsonObject, JsonValue } from './json.ts';
import type { ErrorVerdict, OutcomeClass, SkipReason } from './model.ts';
import type { QuotaDenial } from './quota.ts';
import type { PauseView, RepairAnswer, RepairRequest } from './repair.ts';
import { type FailedEnd, jsonObjectSchema } from './task.ts';
import { type Travelled, travelledSchema } from './travelled.ts';
import type { Effect } from './tool.ts';

export type AgentRunStatus = 'running' | 'awaitingApproval' | 'paused' | AgentRunEndStatus;
export type AgentRunEndStatus = 'completed' | 'budgetExhausted' | 'denied' | 'expired' | 'cancelled' | 'failed';

/** Which task a run runs: one the worker knows by name, or a definition that lies in the store under its digest. */
export const taskReferenceSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('named'), name: z.string().min(1).max(100) }),
  z.strictObject({ type: z.literal('stored'), name: z.string().min(1).max(100), contentDigest: z.string().regex(/^[0-9a-f]{64}$/) }),
]);
export type TaskReference = z.infer<typeof taskReferenceSchema>;

export const agentRunStartSchema = z.strictObject({
  version: z.literal(1),
  task: taskReferenceSchema,
  /** A JSON object; `message` is the first user message. */
  input: jsonObjectSchema,
  tenant: z.string().min(1).max(100),
  feature: z.string().min(1).max(100),
  budgetLimitNanoUsd: z.int().min(0).optional(),
  /** The most tokens of input and output together. Unset: as the task says. */
  budgetLimitTokens: z.int().min(1).max(1_000_000_000_000).optional(),
  /** Who asked for the run, as the client that started it says. */
  requester: z.string().min(1).max(200),
  /** What the client's redaction took out of the input. Absent: an older client, or one without redaction. */
  redaction: travelledSchema.optional(),
  /** Keyed hash of the person that the run is about, so that an erasure finds it. */
  subject: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
  /** Where the run's trace hangs in its caller's, as W3C writes it. */
  traceparent: z.string().max(200).optional(),
});
export type AgentRunStart = z.infer<typeof agentRunStartSchema>;

/**
 * Argument of the workflow `agentRun` and of every workflow built from our pieces. Continue-as-new passes `carried` and an
 * empty input. A run with a `parent` draws on the parent's budget too, and on those above it.
 */
export type AgentRunInput = AgentRunStart & { readonly carried?: CarriedState; readonly parent?: RunKey };

/** Answer of the workflow `agentRun`. */
export interface AgentRunResult {
  readonly version: 1;
  readonly agentRunId: string;
  readonly status: AgentRunEndStatus;
  /** The last answer; null where there is none or where it is stored (`outputAttemptId`). */
  readonly output: string | null;
  /** Names the attempt whose reply is the output, where that is too large for history. */
  readonly outputAttemptId?: AttemptId;
  /** How the run ended, for a person. */
  readonly message: string;
  /** A failure type of contracts/failures.ts, where status is `failed`. */
  readonly failureType?: string;
  /** Which limit it was, where status is `budgetExhausted`. Unset in runs of older workers. */
  readonly exhausted?: Exhausted;
  /** What was undone, where the task asked for it. */
  readonly compensation?: CompensationReport;
  readonly steps: number;
  readonly ledger: LedgerTotals;
}

/** What became of a run's completed actions that its task wanted undone. */
export interface CompensationReport {
  /** In the order in which they were undone; at most 20 by name. */
  readonly undone: readonly { readonly tool: string; readonly by: string }[];
  /** What could not be undone and why; at most 20 by name. */
  readonly left: readonly { readonly tool: string; readonly reason: string }[];
  readonly undoneCount: number;
  readonly leftCount: number;
}

/**
 * What the signal `addUserMessage` carries. Anybody may send it, so it is checked by a guard in domain. A text too long for
 * history lies in the store under its digest. The same `messageId` again changes nothing.
 */
export type UserMessage = { readonly messageId: string /** Who sent it, as the sender says. */; readonly sender?: string; readonly redaction?: Travelled } & (
  | { readonly text: string }
  | { readonly contentDigest: string }
);

/** The place in the transcript that a call goes on from: the last accepted reply and the nodes that came after it. */
export interface TranscriptHead {
  readonly attemptId: AttemptId | null;
  readonly nodeIds: readonly string[];
}

/** What the workflow knows of its pinned task. Small, whatever the task's size. */
export interface PinnedTask {
  readonly taskName: string;
  /** The workflow type that runs the task, where it is not `agentRun`. */
  readonly workflow?: string;
  readonly snapshotDigest: string;
  readonly promptVersion: string;
  readonly models: readonly string[];
  readonly onBudgetExhausted: OnBudgetExhausted;
  readonly onDenied: 'tellModel' | 'endRun';
  readonly onExpired: 'tellModel' | 'endRun';
  readonly maxSteps: number;
  readonly maxToolCallsPerStep: number;
  readonly maxPendingApprovals: number;
  readonly maxTriesPerGate: number;
  readonly maxAttemptsPerStep: number;
  /** Set where the task has an output schema. */
  readonly maxOutputCorrections?: number;
  readonly modelTimeoutMs: number;
  readonly toolTimeoutMs: number;
  readonly maxRetryWaitMs: number;
  readonly maxHistoryEvents: number;
  /** Unset in runs pinned before messages were. */
  readonly maxMessages?: number;
  readonly maxPendingMessages?: number;
  /** Unset in runs pinned before quotas were, and then as `fail`. */
  readonly onQuotaDenied?: OnQuotaDenied;
  readonly maxQuotaWaitMs?: number;
  readonly onModelsUnavailable?: OnModelsUnavailable;
  readonly unavailableMessage?: string;
  readonly maxUnavailableWaitMs?: number;
  readonly maxDurationMs?: number;
  /** Ends after which completed actions are undone. Unset: none. */
  readonly compensateOn?: readonly FailedEnd[];
}

/** One tool call of the current step, as the workflow follows it. */
export interface PlannedCall {
  readonly callIndex: number;
  readonly tool: string;
  readonly effect: Effect;
  readonly status: 'planned' | 'gated' | 'done';
  readonly local?: true;
  /** The gate of an irreversible call, once opened. */
  readonly approvalId?: ApprovalId;
  /** The transcript node with the result, once done. */
  readonly nodeId?: string;
}

/** A gate as the workflow follows it. */
export interface OpenGate {
  readonly approvalId: ApprovalId;
  readonly actionDigest: ActionDigest;
  readonly kind: GateKind;
  readonly status: GateStatus;
  readonly tool: string;
  readonly expiresAtMs: number;
  /** Moments still to come at which the gate changes by itself. */
  readonly moments?: GateMoments;
  /** Decisions handled so far, refused ones included. */
  readonly tries: number;
  /** The same, by whose they were. */
  readonly triesOf?: GateTries;
  /** Questions handled so far, refused ones included. Unset: none. */
  readonly asked?: number;
  /** The agent's last answer to a question here: the next question is asked from there. */
  readonly answerAttemptId?: AttemptId;
  /** The call it belongs to; null for a gate about the run as a whole. */
  readonly callIndex: number | null;
}

/** What was sent to a gate, by whose it was: each person has tries of their own. */
export interface GateTries {
  /** Decisions that nobody is shown to have signed. */
  readonly unproven: number;
  /** Digests of the others: one that is sent again is no other try. */
  readonly by: readonly { readonly person: string; readonly decisions: readonly string[] }[];
}

/** A decision that somebody signed for this very gate. */
export interface Tried {
  readonly person: string;
  readonly decision: string;
}

/** The position of a run: what the next decision depends on, and what continue-as-new carries over. */
export interface RunPosition {
  readonly step: number;
  readonly head: TranscriptHead;
  /** The accepted reply of the current step while its calls are carried out. */
  readonly replyAttemptId: AttemptId | null;
  readonly calls: readonly PlannedCall[];
  readonly gates: readonly OpenGate[];
  readonly ledger: LedgerTotals;
  /** Set where the last reservation did not fit: what it needed. */
  readonly shortOfNanoUsd: NanoUsd | null;
  /** Whose budget was short, where it was not the run's own: more money of its own would not help. */
  readonly shortOfScope?: ScopeKind;
  /** What the last reservation needed in tokens, where those were short. */
  readonly shortOfTokens?: number;
  /** The quota that was short, in words, with when it frees. */
  readonly shortOfQuota?: string;
  /** Set while no model is there to answer and the run is not to end for it. */
  readonly unavailable?: Unavailability;
  /** On the workflow's clock; set where the task has a limit in time. */
  readonly startedAtMs?: number;
  /** How long it has waited for people, which does not count. */
  readonly waitedForPeopleMs?: number;
  /** Set once the next model call must be the last one. */
  readonly wrappingUp: boolean;
  /** Answers so far that broke the output schema, and what was wrong where the last reply was one. */
  readonly invalidOutput?: { readonly count: number; readonly message: string | null };
  readonly lastModel: string | null;
  readonly end: RunEnd | null;
  /** Transcript nodes of messages that wait for the next model call. */
  readonly messageNodeIds?: readonly string[];
  /** The answer that a later message made the run go on from. */
  readonly answerAttemptId?: AttemptId;
  /** Set while an operator holds the run. */
  readonly paused?: PauseView;
  /** Repairs that were made, so that none takes effect twice; at most as many as a run takes. */
  readonly repairIds?: readonly string[];
  /** The accepted reply whose calls an operator gave up. */
  readonly skippedReplyId?: AttemptId;
  /** The model of the chain that an operator wants asked first. */
  readonly preferredCandidate?: number;
  /** Set once the run is over and what it had done is undone: its end, and the plan whose calls `calls` then are. */
  readonly undoing?: { readonly end: RunEnd; readonly planId: AttemptId };
}

/** No model of the chain was there to answer. */
export interface Unavailability {
  readonly message: string;
  /** When it was so for the first time in a row, on the workflow's clock. */
  readonly sinceMs: number;
  /** How often the chain was tried in a row. */
  readonly tries: number;
  /** How long the endpoint that may answer soonest wants to be left alone. */
  readonly retryInMs: number;
  /** Set once the wait is over and the chain is to be tried again. */
  readonly isOver?: true;
}

export interface RunEnd {
  readonly status: AgentRunEndStatus;
  readonly message: string;
  readonly failureType?: string;
  readonly outputAttemptId?: AttemptId;
  readonly exhausted?: Exhausted;
  /** What the run answers where no model did: a person, or the task's words for when none can. */
  readonly text?: string;
  readonly compensation?: CompensationReport;
}

export interface CarriedState {
  readonly version: 1;
  readonly pinned: PinnedTask;
  readonly position: RunPosition;
  /** Messages taken so far, so that none counts twice. */
  readonly messageIds?: readonly string[];
  /** What a workflow of one's own carries over beside the run. */
  readonly own?: JsonValue;
}

/** Answer of the query `getRunStatus`. */
export interface RunStatusView {
  readonly version: 1;
  readonly status: AgentRunStatus;
  readonly task: string;
  readonly step: number;
  readonly maxSteps: number;
  readonly model: string | null;
  readonly ledger: LedgerTotals;
  readonly gates: readonly OpenGate[];
  /** How many more messages the run takes now. */
  readonly messageRoom?: number;
  readonly paused?: PauseView;
  /** The model that an operator wants asked first. */
  readonly preferredModel?: string;
}

// ── Activities: one object in, one object out ──────────────────────────────────────────────────────────────────────

export interface PinTaskInput {
  readonly version: 1;
  readonly runKey: RunKey;
  readonly task: TaskReference;
  readonly input: JsonObject;
  readonly tenant: string;
  readonly feature: string;
  readonly requester: string;
  readonly budgetLimitNanoUsd?: number;
  readonly budgetLimitTokens?: number;
  readonly parent?: RunKey;
  readonly redaction?: Travelled;
  readonly subject?: string;
  readonly traceparent?: string;
}
export interface PinTaskOutcome {
  readonly pinned: PinnedTask;
  readonly ledger: LedgerTotals;
  readonly head: TranscriptHead;
}

/**
 * `wrapUp` asks for a last answer without tools, from the money set aside; `answer` for the answer to a question at a gate,
 * without tools and beside the transcript that the run goes on from.
 */
export type CallMode = 'step' | 'wrapUp' | 'answer';

export interface CallModelInput {
  readonly version: 1;
  readonly runKey: RunKey;
  readonly attemptId: AttemptId;
  readonly step: number;
  /** 1 for the first try of the step, over all candidates. */
  readonly ordinal: number;
  readonly candidateIndex: number;
  readonly head: TranscriptHead;
  readonly mode: CallMode;
}

/** A tool call of a reply as the workflow needs it. Names and effects only: arguments stay in the store. */
export interface ReplyCall {
  readonly tool: string;
  readonly effect: Effect;
  /** False where the call can't run (unknown tool, arguments that are no JSON or break the schema); the model has its answer already. */
  readonly valid: boolean;
  /** Set for a short read that is carried out within the workflow task. */
  readonly local?: true;
}

export interface InvalidOutput {
  readonly nodeId: string;
  /** What is wrong with the answer and how it begins. */
  readonly message: string;
}

export type CallModelOutcome =
  | {
      readonly type: 'reply';
      /** The attempt whose reply is accepted; another one than asked for after a reset. */
      readonly attemptId: AttemptId;
      readonly model: string;
      /** At most `maxToolCallsPerStep`; the model is told that the rest was not carried out. */
      readonly calls: readonly ReplyCall[];
      /** Set where the reply is an answer that breaks the task's output schema; the node tells the model so. */
      readonly invalidOutput?: InvalidOutput;
      readonly costNanoUsd: NanoUsd;
      readonly ledger: LedgerTotals;
      readonly recovered: boolean;
    }
  | {
      readonly type: 'budgetDenied';
      readonly neededNanoUsd: NanoUsd;
      /** Set where it was not the run's own budget. */
      readonly scope?: ScopeKind;
      /** What the call needs in tokens. Unset in the answers of older workers, whose denials count as tries. */
      readonly neededTokens?: number;
      /** Set where a limit in tokens was short. */
      readonly isShortOfTokens?: true;
      readonly quota?: QuotaDenial;
      readonly ledger: LedgerTotals;
      readonly message: string;
    }
  | {
      readonly type: 'failed';
      readonly verdict: ErrorVerdict;
      readonly message: string;
      readonly ledger: LedgerTotals;
      /** Set where the candidate was passed over: nothing was reserved or sent, and it does not count as a try. */
      readonly skipped?: Extract<SkipReason, 'breakerOpen' | 'contextTooSmall'>;
    };

export interface ExecuteToolInput {
  readonly version: 1;
  readonly runKey: RunKey;
  readonly attemptId: AttemptId;
  readonly callIndex: number;
  /** Only for irreversible tools: the gate that permits it. */
  readonly approvalId?: ApprovalId;
  /** The pinned task as history has it. Unset by older workers. */
  readonly snapshotDigest?: string;
}

export type ExecuteToolOutcome =
  | { readonly type: 'done'; readonly isError: boolean }
  /** An intent without an outcome, and the destination could not say. */
  | { readonly type: 'inDoubt'; readonly message: string }
  /** The gate no longer covers the action (policy stricter, same action done meanwhile): ask again. */
  | { readonly type: 'reopen'; readonly message: string }
  /** The approval does not permit it (not approved, withdrawn, expired, forged). Nothing was sent. */
  | { readonly type: 'notPermitted'; readonly gateStatus: GateStatus; readonly message: string };

export interface OpenGateInput {
  readonly version: 1;
  readonly runKey: RunKey;
  readonly snapshotDigest: string;
  readonly approvalId: ApprovalId;
  readonly kind: GateKind;
  readonly attemptId: AttemptId | null;
  readonly callIndex: number | null;
  /** `inDoubt`: the gate whose action is in doubt. */
  readonly aboutApprovalId?: ApprovalId;
  /** `budget`: what the next call needs beyond what is free. */
  readonly shortOfNanoUsd?: NanoUsd;
  readonly shortOfTokens?: number;
  /** `unavailable`: what is known of the models. */
  readonly why?: string;
  /** The gates this run still follows; the store withdraws every other open one of the run (left over from a reset). */
  readonly liveApprovalIds: readonly ApprovalId[];
}
export interface OpenGateOutcome {
  readonly approvalId: ApprovalId;
  readonly actionDigest: ActionDigest;
  readonly expiresAtMs: number;
  readonly summary: string;
  /** Unset: `open`. */
  readonly status?: GateStatus;
  readonly moments?: GateMoments;
}

/** Writes down that a moment of a gate has come. */
export interface TendGateInput {
  readonly version: 1;
  readonly runKey: RunKey;
  readonly approvalId: ApprovalId;
}
export interface TendGateOutcome {
  /** Those still to come. */
  readonly moments: GateMoments;
}

export interface RecordDecisionInput {
  readonly version: 1;
  readonly runKey: RunKey;
  readonly request: DecisionRequest;
  /** What was tried at the gate before, and how much each may. Unset: an older worker counted, and let it through. */
  readonly tries?: GateTries & { readonly max: number };
}
/** `tried`: whose try it was; null: nobody's. Unset in the answers of older workers. */
export type RecordDecisionOutcome = DecisionAnswer & { readonly tried?: Tried | null };

/** Verifies a question at a gate and writes it down, there and as a transcript node. */
export interface RecordQuestionInput {
  readonly version: 1;
  readonly runKey: RunKey;
  readonly request: QuestionRequest;
}
export interface RecordQuestionOutcome {
  readonly answer: QuestionAnswer;
  /** The node to ask the model from; unset where it is not to be asked: refused, or asked before. */
  readonly nodeId?: string;
}

/** Writes the agent's answer to a question beside it, or why there is none. */
export interface RecordAnswerInput {
  readonly version: 1;
  readonly runKey: RunKey;
  readonly approvalId: ApprovalId;
  readonly questionId: string;
  readonly outcome:
    | { readonly type: 'answered'; readonly attemptId: AttemptId; readonly model: string }
    | { readonly type: 'notAnswered'; readonly why: NoAnswer; readonly message: string };
}
export interface RecordAnswerOutcome {
  /** Whether the gate has the answer; false where the store has no such question. */
  readonly isRecorded: boolean;
}

/** Verifies and makes a repair. The same `repairId` again is answered with what holds. */
export interface RecordRepairInput {
  readonly version: 1;
  readonly runKey: RunKey;
  readonly request: RepairRequest;
  /** Names a repair that is not signed. */
  readonly requestId: string;
  readonly snapshotDigest: string;
  /** Where the run stands: the step, and the reply whose calls are carried out. */
  readonly step: number;
  readonly replyAttemptId: AttemptId | null;
}
export type RecordRepairOutcome =
  | {
      readonly type: 'made';
      readonly repairId: string;
      readonly effect: RepairEffect;
      readonly actor: string;
      readonly reason: string;
      readonly ledger: LedgerTotals;
      readonly message: string;
      /** Gates that it withdrew. */
      readonly withdrawn: readonly ApprovalId[];
    }
  | Exclude<RepairAnswer, { readonly type: 'accepted' }>;

/** What a repair that was made does to the run. */
export type RepairEffect =
  | { readonly type: 'pause' }
  | { readonly type: 'resume' }
  | { readonly type: 'skipStep'; readonly replyAttemptId: AttemptId }
  | { readonly type: 'useModel'; readonly candidateIndex: number }
  | { readonly type: 'raiseBudget' };

export interface CloseGateInput {
  readonly version: 1;
  readonly runKey: RunKey;
  readonly approvalId: ApprovalId;
  readonly status: 'expired' | 'withdrawn' | 'superseded';
}

export interface CloseGateOutcome {
  /** The status that holds now; null where the store has no such gate. */
  readonly gateStatus: GateStatus | null;
}

/** Writes the answer to a call that a gate stopped. */
export interface RefuseCallInput {
  readonly version: 1;
  readonly runKey: RunKey;
  readonly snapshotDigest: string;
  readonly attemptId: AttemptId;
  readonly callIndex: number;
  /** Unset for a call that was given up before it had a gate. */
  readonly approvalId?: ApprovalId;
  readonly reason: 'denied' | 'expired' | 'withdrawn' | 'skipped';
}
export interface NodeOutcome {
  readonly nodeId: string;
}

/** Settles an action in doubt by what a person answered at its gate. */
export interface ResolveInDoubtInput {
  readonly version: 1;
  readonly runKey: RunKey;
  readonly snapshotDigest: string;
  readonly attemptId: AttemptId;
  readonly callIndex: number;
  readonly approvalId: ApprovalId;
  /** The `inDoubt` gate. */
  readonly doubtApprovalId: ApprovalId;
}

/** Plans how the run's completed actions are undone, as the calls of a step that no model asked for. */
export interface PlanCompensationInput {
  readonly version: 1;
  readonly runKey: RunKey;
  readonly snapshotDigest: string;
  /** Stands where an accepted reply's attempt stands elsewhere. The same again answers the same plan. */
  readonly planId: AttemptId;
  /** How the run ended, for people who decide on undoing. */
  readonly why: string;
}
export interface PlanCompensationOutcome {
  /** The last action first. */
  readonly calls: readonly ReplyCall[];
}

export interface AddMessageInput {
  readonly version: 1;
  readonly runKey: RunKey;
  readonly message: UserMessage;
}
export type AddMessageOutcome =
  | { readonly type: 'added'; readonly nodeId: string }
  /** Longer than the task takes, or not in the store. Audited. */
  | { readonly type: 'refused'; readonly message: string };

/** Writes a message of the workflow's own, with the answer of a child run below it where one is named. */
export interface AddNoteInput {
  readonly version: 1;
  readonly runKey: RunKey;
  readonly noteId: string;
  readonly text: string;
  readonly answerOf?: RunKey;
}

export interface ReadAnswerInput {
  readonly version: 1;
  readonly runKey: RunKey;
  readonly attemptId: AttemptId;
}
export interface ReadAnswerOutcome {
  /** Cut off with a note where it is too long for history. */
  readonly text: string;
}

export interface RaiseBudgetInput {
  readonly version: 1;
  readonly runKey: RunKey;
  readonly approvalId: ApprovalId;
}
export type RaiseBudgetOutcome = { readonly type: 'raised'; readonly ledger: LedgerTotals } | { readonly type: 'notPermitted'; readonly message: string };

/** Acts on what a person decided at a gate of kind `unavailable`. */
export interface TakeOverInput {
  readonly version: 1;
  readonly runKey: RunKey;
  readonly snapshotDigest: string;
  readonly approvalId: ApprovalId;
}
export type TakeOverOutcome =
  | { readonly type: 'retry' }
  /** At most 4,000 characters: it came with the decision. */
  | { readonly type: 'answer'; readonly text: string; readonly approver: string }
  | { readonly type: 'notPermitted'; readonly message: string };

export interface FinishRunInput {
  readonly version: 1;
  readonly runKey: RunKey;
  readonly end: RunEnd;
  readonly steps: number;
  /** The plan by which what was done has been undone. */
  readonly planId?: AttemptId;
}
export interface FinishRunOutcome {
  readonly ledger: LedgerTotals;
  readonly output: string | null;
  readonly outputAttemptId?: AttemptId;
  readonly message: string;
  readonly compensation?: CompensationReport;
}

export type { OutcomeClass };
