import type { AgentRunEndStatus, AgentRunStatus, CallMode, RunEnd, TranscriptHead } from '../../contracts/agent-run.ts';
import type { DecisionAnswer, GateStatus } from '../../contracts/approval.ts';
import type { LedgerTotals, NanoUsd, ScopeKind } from '../../contracts/budget.ts';
import type { AgentRunId, ApprovalId, AttemptId, ContentDigest, RunKey } from '../../contracts/ids.ts';
import type { JsonObject, JsonValue } from '../../contracts/json.ts';
import type { ErrorVerdict, ModelReply, SkipReason, TokenUsage, TranscriptMessage } from '../../contracts/model.ts';
import type { QuotaDenial, QuotaUnit } from '../../contracts/quota.ts';
import type { Effect, ToolCallStatus } from '../../contracts/tool.ts';
import type { ActionFacts, ActionPermission } from '../approval/action-facts.ts';
import type { DecisionTransition, GateRecord } from '../approval/gate.ts';
import type { GrantStore } from '../approval/grant-store-port.ts';
import type { StopStore } from '../approval/stop-store-port.ts';
import type { ChainLink } from '../audit/chain.ts';
import type { AuditChainStore } from '../audit/store-port.ts';
import type { HeldStore, MoneyMove } from '../budget/held-store-port.ts';
import type { LedgerEntry, LedgerEvent } from '../budget/ledger.ts';
import type { KeyStore } from '../encryption/store-port.ts';
import type { FeedbackStore } from '../feedback/store-port.ts';
import type { EndedSessionStore } from '../identity/store-port.ts';
import type { BreakerStore } from '../model/breaker-store-port.ts';
import type { NotificationStore } from '../notification/store-port.ts';
import type { OverviewStore } from '../overview/store-port.ts';
import type { QuotaStore } from '../quota/store-port.ts';
import type { ErasureStore } from '../erasure/store-port.ts';
import type { RepairStore } from '../repair/store-port.ts';
import type { ReportStore } from '../report/store-port.ts';
import type { VaultStore } from '../redaction/store-port.ts';
import type { TraceStore } from '../trace/store-port.ts';

/**
 * What Tollgate remembers outside Temporal: what was said, sent, approved and spent. Every method is one transaction.
 * Rules arrive as pure functions and run inside it, under the lock of the rows they decide about, on the store's clock.
 * Errors of the medium are `TollgateError` of type `storeFull` or `storeUnavailable`.
 */
export interface Store
  extends RunStore,
    ContentStore,
    TranscriptStore,
    LedgerStore,
    ToolCallStore,
    GateStore,
    StopStore,
    GrantStore,
    AuditStore,
    ApiKeyStore,
    QuotaStore,
    BreakerStore,
    KeyStore,
    HeldStore,
    OverviewStore,
    ErasureStore,
    NotificationStore,
    VaultStore,
    TraceStore,
    FeedbackStore,
    RepairStore,
    EndedSessionStore,
    ReportStore {
  /** Milliseconds since 1970 on the store's clock, which decides expiry. */
  nowMs(): Promise<number>;
  /**
   * Asked before a run is started, so that none gets stuck halfway.
   * @throws TollgateError `storeFull` where the store can't take another `bytes`.
   */
  ensureRoom(bytes: number): Promise<void>;
  close(): Promise<void>;
}

// ── Runs ───────────────────────────────────────────────────────────────────────────────────────────────────────────

export interface NewRun {
  readonly runKey: RunKey;
  readonly task: string;
  readonly tenant: string;
  readonly feature: string;
  readonly requester: string;
  readonly snapshotDigest: ContentDigest;
  readonly limitNanoUsd: NanoUsd;
  /** The most tokens of input and output together. Unset: no limit but the money's. */
  readonly limitTokens?: number;
  /** Keyed hash of the person that the run is about. */
  readonly subject?: string;
  /** Its place in a trace that somebody else began (W3C), or in its parent's. Unset: a trace of its own. */
  readonly traceparent?: string;
  /** Scopes of other runs this one draws on too (its parents'), nearest first. */
  readonly parentRunKeys: readonly RunKey[];
  /** What the audit says the run was pinned to: versions and digests of prompt, policy, models and tools. */
  readonly pinned?: JsonObject;
}

export interface RunRecord extends Omit<NewRun, 'limitTokens' | 'pinned'> {
  /** `awaitingApproval` is derived: running, and a gate is open. `paused` is too: running, and an operator holds it. */
  readonly status: AgentRunStatus;
  readonly startedAtMs: number;
  readonly endedAtMs: number | null;
  readonly end: RunEnd | null;
  readonly steps: number;
}

export interface RunFilter {
  readonly status?: AgentRunStatus;
  readonly task?: string;
  readonly tenant?: string;
  /** Only runs that were created before this one; none where the store does not know it. */
  readonly olderThan?: RunKey;
  /** Only the direct children of this run. */
  readonly parent?: RunKey;
  /** At most this many, newest first. */
  readonly limit: number;
}

export interface RunStore {
  /** Creates the run and its budget scope. The same run again changes nothing. */
  createRun(run: NewRun): Promise<'created' | 'exists'>;
  getRun(runKey: RunKey): Promise<RunRecord | null>;
  /** The newest run of that Workflow Id. */
  latestRun(agentRunId: AgentRunId): Promise<RunRecord | null>;
  listRuns(filter: RunFilter): Promise<readonly RunRecord[]>;
  /** Writes the end and withdraws the gates still open or approved but unused. The first end stays; returns the one that holds. */
  endRun(runKey: RunKey, end: RunEnd, steps: number): Promise<RunEnd>;
  /** Takes an end back that a reset has undone: the run goes on. */
  reopenRun(runKey: RunKey): Promise<void>;
}

// ── Content and transcript ─────────────────────────────────────────────────────────────────────────────────────────

export interface ContentStore {
  /**
   * Stores text under the SHA-256 of its UTF-8 bytes. The same text again changes nothing. With an owner it is kept for
   * that run alone and sealed where the store seals, so that its digest is another one each time.
   */
  putContent(text: string, owner?: RunKey): Promise<ContentDigest>;
  /** Null where the store does not have it. */
  getContent(digest: ContentDigest): Promise<string | null>;
}

export type LoadedTranscript =
  | {
      readonly type: 'transcript';
      readonly messages: readonly TranscriptMessage[];
      /** They begin after the place that was asked for. */
      readonly isTail?: true;
    }
  /** An attempt without reply, or a node, that the store does not have. */
  | { readonly type: 'missing'; readonly what: string };

export interface TranscriptStore {
  /** Stores a message that no attempt wrote (input, tool result). The first content stays. */
  putNode(runKey: RunKey, nodeId: string, message: TranscriptMessage): Promise<void>;
  /**
   * The messages from the run's start up to `head`, by following each reply to the head it was asked from; where `after` lies
   * on the way and is not `head` itself, only those that come after it. What is under a head never changes.
   */
  loadTranscript(runKey: RunKey, head: TranscriptHead, after?: TranscriptHead): Promise<LoadedTranscript>;
}

// ── Ledger: the attempt rows ───────────────────────────────────────────────────────────────────────────────────────

/** What the workflow is told of an attempt. Set once; whoever comes first, the sender or the one who recovers, decides. */
export type AttemptOutcome = { readonly type: 'reply' } | { readonly type: 'failed'; readonly verdict: ErrorVerdict; readonly message: string };

export interface NewAttempt {
  readonly runKey: RunKey;
  readonly attemptId: AttemptId;
  readonly step: number;
  readonly ordinal: number;
  readonly mode: CallMode;
  readonly model: string;
  readonly provider: string;
  readonly endpoint: string;
  /** SHA-256 over model, transcript and parameters. */
  readonly requestDigest: string;
  readonly head: TranscriptHead;
  readonly reservedNanoUsd: NanoUsd;
  /** What must be left free in the run's own scope beside the reservation. Reservations of its children leave it free too. */
  readonly setAsideNanoUsd: NanoUsd;
  /** The most tokens of input and output together; counts where a run or a quota has a limit in tokens. */
  readonly reservedTokens: number;
  readonly setAsideTokens: number;
  /** After this moment (store's clock) a sender must not send any more. */
  readonly dispatchDeadlineMs: number;
}

export interface AttemptRecord extends NewAttempt {
  readonly money: LedgerEntry;
  readonly outcome: AttemptOutcome | null;
  /** The reply, also where it came too late to be the outcome. */
  readonly reply: ModelReply | null;
  readonly usage: TokenUsage | null;
  /** Id of a stored response at the provider, journalled before waiting for it. */
  readonly responseId: string | null;
  /** The provider's or gateway's own id of the request, where an answer brought one. */
  readonly providerRequestId: string | null;
  readonly reservedAtMs: number;
  readonly endedAtMs: number | null;
  readonly writeOffReason: string | null;
}

export type ReserveResult =
  | { readonly type: 'reserved'; readonly attempt: AttemptRecord; readonly ledger: LedgerTotals }
  /** This attempt is in the journal already; nothing was reserved, and nothing may be sent on the strength of this answer. */
  | { readonly type: 'exists'; readonly attempt: AttemptRecord }
  | Rejection;

/** Nothing was reserved, in no scope. */
export interface Rejection {
  readonly type: 'rejected';
  /** The nearest scope that it did not fit into. */
  readonly scope: ScopeKind;
  readonly scopeId: string;
  /** In the unit of that scope. */
  readonly unit: QuotaUnit;
  readonly totals: LedgerTotals;
  /** What the call may cost, with what was to be set aside in that scope. */
  readonly neededNanoUsd: NanoUsd;
  /** The same in tokens. */
  readonly neededTokens: number;
  /** Set where it was a quota. */
  readonly quota?: QuotaDenial;
}

export interface OutcomeReport {
  readonly outcome: AttemptOutcome;
  readonly reply?: ModelReply;
  readonly usage?: TokenUsage;
  readonly providerRequestId?: string;
  /** What became known of the money; nothing leaves it held. */
  readonly money?: LedgerEvent;
}

/** A candidate that was not asked: nothing was reserved or sent. */
export interface NewSkip {
  readonly runKey: RunKey;
  /** The attempt that it would have been. */
  readonly attemptId: AttemptId;
  readonly step: number;
  readonly ordinal: number;
  readonly model: string;
  readonly reason: SkipReason;
  /** For people. */
  readonly message: string;
}

export interface SkipRecord extends NewSkip {
  readonly atMs: number;
}

export interface LedgerStore {
  /**
   * Reserves in every scope of the run (its own, its parents', in money and, where they have such a limit, in tokens; the
   * quotas of its tenant and feature, in the window of this moment) or in none, and inserts the attempt row, in one
   * write-locked transaction. The insert is the permission to send. An end that
   * the run had is taken back with it: a reset has undone it, and the run goes on.
   */
  reserveAttempt(attempt: NewAttempt): Promise<ReserveResult>;
  getAttempt(runKey: RunKey, attemptId: AttemptId): Promise<AttemptRecord | null>;
  listAttempts(runKey: RunKey): Promise<readonly AttemptRecord[]>;
  /** An attempt of this run with a reply as its outcome, for the same step and request; left by a reset. */
  findReply(runKey: RunKey, step: number, requestDigest: string): Promise<AttemptRecord | null>;
  /** Journals the id of a background response before anybody waits for it. The first id stays. */
  setResponseId(runKey: RunKey, attemptId: AttemptId, responseId: string): Promise<void>;
  /** Journals the provider's or gateway's own id of a request that is still under way. The first id stays. */
  setProviderRequestId(runKey: RunKey, attemptId: AttemptId, providerRequestId: string): Promise<void>;
  /**
   * Writes what an attempt came to. Money moves by `applyLedgerEvent` in every scope of the attempt. The outcome is set
   * only if there is none yet; reply and usage are kept either way. Returns the row as it then holds.
   */
  reportAttempt(runKey: RunKey, attemptId: AttemptId, report: OutcomeReport): Promise<AttemptRecord>;
  /** Moves an attempt's money alone: reconciliation, late charges, write-offs (which need a reason). What `by` moved is audited. */
  moveMoney(runKey: RunKey, attemptId: AttemptId, event: LedgerEvent, by?: MoneyMove): Promise<AttemptRecord>;
  getLedger(runKey: RunKey): Promise<LedgerTotals | null>;
  /** The tokens of a run that has a limit in tokens, in the ledger's shape; null where it has none. */
  getTokenLedger(runKey: RunKey): Promise<LedgerTotals | null>;
  /** Writes down that a candidate was passed over, and why. The same attempt again changes nothing. */
  recordSkip(skip: NewSkip): Promise<void>;
  /** In order. */
  listSkips(runKey: RunKey): Promise<readonly SkipRecord[]>;
}

// ── Tool calls: the effect journal ─────────────────────────────────────────────────────────────────────────────────

export interface NewToolCall {
  readonly runKey: RunKey;
  /** Names the transcript node of the result too. Derived by domain/tool from attempt, call index and gate. */
  readonly callKey: string;
  readonly attemptId: AttemptId;
  readonly callIndex: number;
  readonly tool: string;
  readonly toolVersion: string;
  readonly effect: Effect;
  /** SHA-256 over the canonical arguments. */
  readonly argumentsDigest: string;
  readonly idempotencyKey: string;
  readonly approvalId: ApprovalId | null;
  /** For irreversible actions: how many of the same were carried out or are in doubt before this one. */
  readonly occurrence: number;
  readonly dispatchDeadlineMs: number;
}

export interface ToolCallRecord extends NewToolCall {
  readonly status: ToolCallStatus;
  readonly result: JsonValue | null;
  readonly isError: boolean;
  /** Line of the recording that answers this call. */
  readonly recordedLine: number | null;
  readonly startedAtMs: number;
  readonly endedAtMs: number | null;
}

export type ConsumeResult =
  /** The approval is consumed and the intent written; this caller, and only this one, may dispatch. */
  | { readonly type: 'permitted'; readonly call: ToolCallRecord; readonly gate: GateRecord }
  /** An intent for this gate exists already. */
  | { readonly type: 'exists'; readonly call: ToolCallRecord }
  /** The same action (tool, arguments) was journalled more often than the gate knows of. */
  | { readonly type: 'repeated'; readonly earlier: ToolCallRecord }
  /** A stop switch holds it back; nothing was consumed. */
  | { readonly type: 'stopped'; readonly message: string }
  /** An operator holds the run; nothing was consumed. */
  | { readonly type: 'paused'; readonly message: string }
  | { readonly type: 'refused'; readonly gateStatus: GateStatus; readonly message: string };

export interface ToolCallOutcome {
  readonly status: 'done' | 'failed' | 'inDoubt';
  readonly result: JsonValue | null;
  readonly isError: boolean;
  readonly message?: TranscriptMessage;
}

export interface ToolCallStore {
  /** Journals a read or write before it is carried out. An existing row comes back as it is. */
  beginToolCall(call: NewToolCall): Promise<{ readonly type: 'begun' | 'exists'; readonly call: ToolCallRecord }>;
  /** Journals a read that took `tookMs` together with its outcome, whether it was begun here or not. An outcome that is there stays. */
  journalRead(call: NewToolCall, outcome: ToolCallOutcome, tookMs?: number): Promise<ToolCallRecord>;
  /**
   * Consumes a gate's approval and writes the intent in one transaction, together with what is used of the gate's standing
   * approval. `rule` (domain `permits` over votes whose signatures the caller verified) runs on the locked row at the store's time.
   */
  consumeApproval(
    call: NewToolCall & { readonly approvalId: ApprovalId },
    rule: (gate: GateRecord, nowMs: number, facts: ActionFacts) => ActionPermission,
  ): Promise<ConsumeResult>;
  getToolCall(runKey: RunKey, callKey: string): Promise<ToolCallRecord | null>;
  listToolCalls(runKey: RunKey): Promise<readonly ToolCallRecord[]>;
  /** Journalled actions of the run with that tool and those arguments that are not known to have failed, oldest first. */
  findActions(runKey: RunKey, tool: string, argumentsDigest: string): Promise<readonly ToolCallRecord[]>;
  /**
   * Claims the first of `matchingLines` of a recording that no other call of the run has claimed; the call's own claim
   * on a retry. Null where all are used.
   */
  claimRecordedLine(runKey: RunKey, callKey: string, matchingLines: readonly number[], recording: ContentDigest): Promise<number | null>;
  /** Writes a call's outcome, together with its transcript node where one is given. The first outcome stays; `inDoubt` may still become another. */
  finishToolCall(runKey: RunKey, callKey: string, outcome: ToolCallOutcome): Promise<ToolCallRecord>;
}

// ── Gates and audit ────────────────────────────────────────────────────────────────────────────────────────────────

export interface GateFilter {
  readonly runKey?: RunKey;
  readonly status?: GateStatus;
  /** Only gates of runs for this tenant. */
  readonly tenant?: string;
  /** Only gates that were opened after this one; none where the store does not know it. */
  readonly after?: ApprovalId;
  readonly limit: number;
}

export interface GateStore {
  /** Creates a gate, before anyone is told. An existing one comes back as it is. */
  createGate(gate: GateRecord): Promise<GateRecord>;
  /** A gate id names one gate only within its run; forged rows of other runs never answer. */
  getGate(runKey: RunKey, approvalId: ApprovalId): Promise<GateRecord | null>;
  /** By id alone, for people at the CLI. */
  findGate(approvalId: ApprovalId): Promise<GateRecord | null>;
  listGates(filter: GateFilter): Promise<readonly GateRecord[]>;
  /** Runs `rule` on the locked gate at the store's time, stores what it returns, and audits what `audit` says then, in the same transaction. */
  decideGate(
    runKey: RunKey,
    approvalId: ApprovalId,
    rule: (gate: GateRecord, nowMs: number) => DecisionTransition,
    audit: (answer: DecisionAnswer) => AuditEntry | null,
  ): Promise<DecisionAnswer | null>;
  /**
   * Changes what is beside the votes of a gate (a moment that came, who looks at it, what was asked): runs `change` on the
   * locked gate at the store's time and audits in the same transaction. Null from `change` leaves it. Returns the gate as it then is.
   */
  changeGate(
    runKey: RunKey,
    approvalId: ApprovalId,
    change: (gate: GateRecord, nowMs: number) => { readonly gate: GateRecord; readonly audit: readonly AuditEntry[] } | null,
  ): Promise<GateRecord | null>;
  /** Ends an open or approved gate by `close` of domain; returns the status that then holds, null where there is no such gate. */
  closeGate(runKey: RunKey, approvalId: ApprovalId, status: 'expired' | 'withdrawn' | 'superseded'): Promise<GateStatus | null>;
  /** Withdraws every open or approved gate of the run that is not in `live`. Returns those withdrawn. */
  withdrawGatesExcept(runKey: RunKey, live: readonly ApprovalId[]): Promise<readonly ApprovalId[]>;
  /** Consumes the approval of a budget gate and raises the run's limits, once. `rule` as in consumeApproval. */
  raiseLimit(
    runKey: RunKey,
    approvalId: ApprovalId,
    amount: { readonly nanoUsd: NanoUsd; readonly tokens: number },
    rule: (
      gate: GateRecord,
      nowMs: number,
    ) => { readonly type: 'permitted' } | { readonly type: 'refused'; readonly gateStatus: GateStatus; readonly message: string },
  ): Promise<
    { readonly type: 'raised'; readonly ledger: LedgerTotals } | { readonly type: 'refused'; readonly gateStatus: GateStatus; readonly message: string }
  >;
}

export interface AuditEntry {
  /** What happened, e.g. `decision.accepted`. */
  readonly type: string;
  readonly runKey: RunKey | null;
  readonly actor: string;
  readonly data: JsonValue;
  /** The tenant that an entry of no run belongs to. */
  readonly tenant?: string;
  /** Where `data` is sealed: the salted digest of what it says, and the salt, sealed too. */
  readonly commitment?: { readonly digest: string; readonly salt: string | null };
}

export interface AuditRecord extends Omit<AuditEntry, 'commitment'> {
  readonly sequence: number;
  readonly atMs: number;
  /** Null for a row of before chains. */
  readonly link: ChainLink | null;
}

export interface AuditStore extends AuditChainStore {
  /** When the store was last filled from a backup, on its own clock; null where it never was. */
  lastRestoredAtMs(): Promise<number | null>;
  appendAudit(entry: AuditEntry): Promise<void>;
  /**
   * Oldest first. Rows of different chains may appear out of their order, so nobody goes on from a sequence: who reads in
   * pages reads chain by chain (`listChain`).
   */
  listAudit(filter: { readonly runKey?: RunKey; readonly limit: number }): Promise<readonly AuditRecord[]>;
}

// ── API keys ───────────────────────────────────────────────────────────────────────────────────────────────────────

export type ApiKeyScope = 'start' | 'read' | 'decide' | 'repair';

export interface NewApiKey {
  readonly keyId: string;
  /** Who uses it. Keys of one name are one person: they vote once, whichever is used. */
  readonly name: string;
  readonly scopes: readonly ApiKeyScope[];
  /** The roles that its decisions carry. */
  readonly roles: readonly string[];
  /** The one tenant it starts, sees and decides for; null for every tenant. */
  readonly tenant: string | null;
  /** SHA-256 of the secret, in hex. The secret itself is kept nowhere. */
  readonly secretDigest: string;
}

export interface ApiKeyRecord extends NewApiKey {
  readonly createdAtMs: number;
  readonly revokedAtMs: number | null;
}

export interface ApiKeyStore {
  /** Adds a key; one of that id that is there already stays as it is. Answers the row that holds. */
  putApiKey(key: NewApiKey): Promise<ApiKeyRecord>;
  /** Also a revoked one; null where no key has that secret. */
  findApiKey(secretDigest: string): Promise<ApiKeyRecord | null>;
  /** Oldest first, revoked ones too: who asks whether there has ever been a key gets an answer. */
  listApiKeys(limit: number): Promise<readonly ApiKeyRecord[]>;
  /** For good; the first moment stays. Null where there is no such key. */
  revokeApiKey(keyId: string): Promise<ApiKeyRecord | null>;
}

export type { AgentRunEndStatus };
