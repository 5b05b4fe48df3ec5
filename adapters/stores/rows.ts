import type { TranscriptHead } from '../../contracts/agent-run.ts';
import type { LedgerTotals, NanoUsd } from '../../contracts/budget.ts';
import { invariant } from '../../contracts/failures.ts';
import type { AgentRunId, ApprovalId, AttemptId, ContentDigest, RunKey } from '../../contracts/ids.ts';
import type { ModelReply, TranscriptMessage } from '../../contracts/model.ts';
import type { ChainLink } from '../../domain/audit/chain.ts';
import type { KeyRow } from '../../domain/encryption/store-port.ts';
import type { BoundFactor, HeldAttempt, OpenMoney } from '../../domain/budget/held-store-port.ts';
import type { BreakerRecord } from '../../domain/model/breaker-store-port.ts';
import type { QuotaRecord, QuotaWindow } from '../../domain/quota/store-port.ts';
import type { ApiKeyRecord, AttemptRecord, AuditRecord, LoadedTranscript, RunRecord, SkipRecord, ToolCallRecord } from '../../domain/store/port.ts';
import type { RedactionCount, VaultRecord } from '../../domain/redaction/store-port.ts';

/** A row as a driver gives it; both stores have the same columns. */
export type Row = Readonly<Record<string, unknown>>;

/** No list is longer than this, whatever its caller asks for. */
const MAX_LIST_ROWS = 1_000;

/** How many rows a list may have. @throws TollgateError where `limit` is no positive integer. */
export function listLimit(limit: number): number {
  invariant(Number.isSafeInteger(limit) && limit > 0, `a list has a positive integer as its limit, not ${limit}`);
  return Math.min(limit, MAX_LIST_ROWS);
}

export function text(row: Row, column: string): string {
  return String(row[column]);
}
export function textOrNull(row: Row, column: string): string | null {
  const value = row[column];
  return value === null || value === undefined ? null : String(value);
}
/** Also of a driver that gives 64-bit integers as text. @throws TollgateError beyond 2^53, where money would be lost in rounding. */
export function integer(row: Row, column: string): number {
  const value = Number(row[column]);
  invariant(Number.isSafeInteger(value), `${column} is a safe integer, not ${row[column]}`);
  return value;
}
export function integerOrNull(row: Row, column: string): number | null {
  return row[column] === null || row[column] === undefined ? null : integer(row, column);
}
/** JSON that this store wrote itself. */
export function json<T>(row: Row, column: string): T {
  return JSON.parse(text(row, column)) as T;
}
export function jsonOrNull<T>(row: Row, column: string): T | null {
  const value = textOrNull(row, column);
  return value === null ? null : (JSON.parse(value) as T);
}

/** The key of a run's own budget scope. */
export function runScopeKey({ agentRunId, firstExecutionRunId }: RunKey): string {
  return `${agentRunId}/${firstExecutionRunId}`;
}

/** The key of a run's own scope in tokens. */
export function tokenScopeKey(runKey: RunKey): string {
  return `${runScopeKey(runKey)}#tokens`;
}

export function toRun(row: Row): RunRecord {
  return {
    runKey: { agentRunId: text(row, 'agent_run_id') as AgentRunId, firstExecutionRunId: text(row, 'first_execution_run_id') },
    task: text(row, 'task'),
    tenant: text(row, 'tenant'),
    feature: text(row, 'feature'),
    requester: text(row, 'requester'),
    snapshotDigest: text(row, 'snapshot_digest') as ContentDigest,
    limitNanoUsd: integer(row, 'limit_nano_usd') as NanoUsd,
    parentRunKeys: json(row, 'parents_json'),
    ...(textOrNull(row, 'traceparent') === null ? {} : { traceparent: text(row, 'traceparent') }),
    status: text(row, 'shown_status') as RunRecord['status'],
    startedAtMs: integer(row, 'started_at_ms'),
    endedAtMs: integerOrNull(row, 'ended_at_ms'),
    end: jsonOrNull(row, 'end_json'),
    steps: integer(row, 'shown_steps'),
  };
}

export function toTotals(row: Row): LedgerTotals {
  return {
    limitNanoUsd: integer(row, 'limit_nano_usd') as NanoUsd,
    settledNanoUsd: integer(row, 'settled_nano_usd') as NanoUsd,
    heldNanoUsd: integer(row, 'held_nano_usd') as NanoUsd,
    writtenOffNanoUsd: integer(row, 'written_off_nano_usd') as NanoUsd,
    overrunNanoUsd: integer(row, 'overrun_nano_usd') as NanoUsd,
  };
}

export function toAttempt(row: Row, runKey: RunKey): AttemptRecord {
  const reservedNanoUsd = integer(row, 'reserved_nano_usd') as NanoUsd;
  return {
    runKey,
    attemptId: text(row, 'attempt_id') as AttemptId,
    step: integer(row, 'step'),
    ordinal: integer(row, 'ordinal'),
    mode: text(row, 'mode') as AttemptRecord['mode'],
    model: text(row, 'model'),
    provider: text(row, 'provider'),
    endpoint: text(row, 'endpoint'),
    requestDigest: text(row, 'request_digest'),
    head: json(row, 'head_json'),
    reservedNanoUsd,
    setAsideNanoUsd: integer(row, 'set_aside_nano_usd') as NanoUsd,
    reservedTokens: integer(row, 'reserved_tokens'),
    setAsideTokens: integer(row, 'set_aside_tokens'),
    dispatchDeadlineMs: integer(row, 'dispatch_deadline_ms'),
    money: {
      status: text(row, 'money_status') as AttemptRecord['money']['status'],
      reservedNanoUsd,
      settledNanoUsd: integerOrNull(row, 'settled_nano_usd') as NanoUsd | null,
    },
    outcome: jsonOrNull(row, 'outcome_json'),
    reply: jsonOrNull(row, 'reply_json'),
    usage: jsonOrNull(row, 'usage_json'),
    responseId: textOrNull(row, 'response_id'),
    providerRequestId: textOrNull(row, 'provider_request_id'),
    reservedAtMs: integer(row, 'reserved_at_ms'),
    endedAtMs: integerOrNull(row, 'ended_at_ms'),
    writeOffReason: textOrNull(row, 'write_off_reason'),
  };
}

export function toHeld(row: Row): HeldAttempt {
  const runKey = { agentRunId: text(row, 'agent_run_id') as AgentRunId, firstExecutionRunId: text(row, 'first_execution_run_id') };
  const lookedAtMs = integerOrNull(row, 'looked_at_ms');
  return {
    cursor: integer(row, 'id'),
    attempt: toAttempt(row, runKey),
    tenant: text(row, 'tenant'),
    task: text(row, 'task'),
    snapshotDigest: text(row, 'snapshot_digest') as ContentDigest,
    runEndedAtMs: integerOrNull(row, 'run_ended_at_ms'),
    lookup: lookedAtMs === null ? null : { lookedAtMs, looks: integer(row, 'looks'), nextAtMs: integer(row, 'next_at_ms'), answer: text(row, 'answer') },
  };
}

export function toOpenMoney(row: Row): OpenMoney {
  const part = (name: string) => ({ attempts: integer(row, `${name}_attempts`), nanoUsd: integer(row, `${name}_nano_usd`) as NanoUsd });
  return {
    held: { ...part('held'), oldestReservedAtMs: integerOrNull(row, 'oldest_reserved_at_ms') },
    writtenOff: part('written_off'),
    overruns: part('overrun'),
  };
}

export function toBoundFactor(row: Row): BoundFactor {
  return {
    model: text(row, 'model'),
    endpoint: text(row, 'endpoint'),
    perMille: integer(row, 'per_mille'),
    raises: integer(row, 'raises'),
    changedAtMs: integer(row, 'at_ms'),
  };
}

export function toToolCall(row: Row, runKey: RunKey): ToolCallRecord {
  return {
    runKey,
    callKey: text(row, 'call_key'),
    attemptId: text(row, 'attempt_id') as AttemptId,
    callIndex: integer(row, 'call_index'),
    tool: text(row, 'tool'),
    toolVersion: text(row, 'tool_version'),
    effect: text(row, 'effect') as ToolCallRecord['effect'],
    argumentsDigest: text(row, 'arguments_digest'),
    idempotencyKey: text(row, 'idempotency_key'),
    approvalId: textOrNull(row, 'approval_id') as ApprovalId | null,
    occurrence: integer(row, 'occurrence'),
    dispatchDeadlineMs: integer(row, 'dispatch_deadline_ms'),
    status: text(row, 'status') as ToolCallRecord['status'],
    result: jsonOrNull(row, 'result_json'),
    isError: integer(row, 'is_error') === 1,
    recordedLine: integerOrNull(row, 'recorded_line'),
    startedAtMs: integer(row, 'started_at_ms'),
    endedAtMs: integerOrNull(row, 'ended_at_ms'),
  };
}

export function toAuditRecord(row: Row): AuditRecord {
  const agentRunId = textOrNull(row, 'agent_run_id');
  return {
    sequence: integer(row, 'sequence'),
    atMs: integer(row, 'at_ms'),
    type: text(row, 'type'),
    actor: text(row, 'actor'),
    data: json(row, 'data_json'),
    runKey: agentRunId === null ? null : { agentRunId: agentRunId as AgentRunId, firstExecutionRunId: text(row, 'first_execution_run_id') },
    ...(textOrNull(row, 'chain_tenant') === null || agentRunId !== null ? {} : { tenant: text(row, 'chain_tenant') }),
    link: textOrNull(row, 'hash') === null ? null : toChainLink(row),
  };
}

function toChainLink(row: Row): ChainLink {
  return {
    chain: text(row, 'chain'),
    sequence: integer(row, 'chain_sequence'),
    previousHash: text(row, 'previous_hash'),
    hash: text(row, 'hash'),
    dataDigest: text(row, 'data_digest'),
    salt: textOrNull(row, 'salt'),
  };
}

/** Empty texts in the store stand for null, so that a unique index counts them as equal. */
export function toQuota(row: Row): QuotaRecord {
  return {
    quotaId: text(row, 'id'),
    tenant: text(row, 'tenant') || null,
    feature: text(row, 'feature') || null,
    per: text(row, 'per') as QuotaRecord['per'],
    unit: text(row, 'unit') as QuotaRecord['unit'],
    limit: integer(row, 'limit_amount'),
    source: text(row, 'source') as QuotaRecord['source'],
    setAtMs: integer(row, 'set_at_ms'),
  };
}

export function toQuotaWindow(row: Row): QuotaWindow {
  const [quotaId = '', , ...tenant] = text(row, 'scope_key').split('@');
  return {
    quotaId,
    tenant: tenant.length > 0 ? tenant.join('@') : null,
    startsAtMs: integer(row, 'starts_at_ms'),
    endsAtMs: integer(row, 'ends_at_ms'),
    totals: toTotals(row),
  };
}

export function toSkip(row: Row, runKey: RunKey): SkipRecord {
  return {
    runKey,
    attemptId: text(row, 'attempt_id') as AttemptId,
    step: integer(row, 'step'),
    ordinal: integer(row, 'ordinal'),
    model: text(row, 'model'),
    reason: text(row, 'reason') as SkipRecord['reason'],
    message: text(row, 'message'),
    atMs: integer(row, 'at_ms'),
  };
}

export function toBreaker(row: Row): BreakerRecord {
  return { endpoint: text(row, 'endpoint'), model: text(row, 'model'), state: json(row, 'state_json'), changedAtMs: integer(row, 'changed_at_ms') };
}

export function toApiKey(row: Row): ApiKeyRecord {
  return {
    keyId: text(row, 'key_id'),
    name: text(row, 'name'),
    scopes: json(row, 'scopes_json'),
    roles: json(row, 'roles_json'),
    tenant: textOrNull(row, 'tenant'),
    secretDigest: text(row, 'secret_digest'),
    createdAtMs: integer(row, 'created_at_ms'),
    revokedAtMs: integerOrNull(row, 'revoked_at_ms'),
  };
}

export function toKeyRow(row: Row): KeyRow {
  return {
    keyId: text(row, 'key_id'),
    kind: text(row, 'kind') as KeyRow['kind'],
    tenant: text(row, 'tenant'),
    name: text(row, 'name'),
    version: integer(row, 'version'),
    wrapped: textOrNull(row, 'wrapped'),
    createdAtMs: integer(row, 'created_at_ms'),
    destroyedAtMs: integerOrNull(row, 'destroyed_at_ms'),
  };
}

export function toVaultRecord(row: Row): VaultRecord {
  return {
    sequence: integer(row, 'id'),
    token: text(row, 'token'),
    type: text(row, 'type'),
    valueHash: text(row, 'value_hash'),
    sealed: text(row, 'sealed'),
  };
}

export function toRedactionCount(row: Row): RedactionCount {
  return {
    place: text(row, 'place') as RedactionCount['place'],
    type: text(row, 'type'),
    action: text(row, 'action') as RedactionCount['action'],
    count: integer(row, 'occurrences'),
  };
}

/** Where a walk through a transcript finds its rows: `message_json` of a node; `head_json` and `reply_json` of an attempt. */
export interface TranscriptRows {
  readonly node: (nodeId: string) => Row | undefined;
  readonly attempt: (attemptId: AttemptId) => Row | undefined;
}

/** Follows each reply to the head it was asked from, newest first and no further than `after`, and turns the whole round. The newest place is always read. */
export function walkTranscript(rows: TranscriptRows, newest: TranscriptHead, after?: TranscriptHead): LoadedTranscript {
  const backwards: TranscriptMessage[] = [];
  const seen = new Set<AttemptId>();
  for (let head: TranscriptHead | null = newest; head; ) {
    if (after && head !== newest && isSamePlace(head, after)) return { type: 'transcript', messages: backwards.reverse(), isTail: true };
    for (const nodeId of head.nodeIds.toReversed()) {
      const node = rows.node(nodeId);
      if (!node) return { type: 'missing', what: `transcript node ${nodeId}` };
      backwards.push(json(node, 'message_json'));
    }
    if (head.attemptId === null) break;
    invariant(!seen.has(head.attemptId), `attempt ${head.attemptId} was asked from a transcript without its own reply`);
    seen.add(head.attemptId);
    const row = rows.attempt(head.attemptId);
    const reply = row ? jsonOrNull<ModelReply>(row, 'reply_json') : null;
    if (!row || !reply) return { type: 'missing', what: `the reply of attempt ${head.attemptId}` };
    backwards.push(assistantMessage(reply));
    head = json<TranscriptHead>(row, 'head_json');
  }
  return { type: 'transcript', messages: backwards.reverse() };
}

function isSamePlace(left: TranscriptHead, right: TranscriptHead): boolean {
  return left.attemptId === right.attemptId && left.nodeIds.length === right.nodeIds.length && left.nodeIds.every((id, index) => id === right.nodeIds[index]);
}

function assistantMessage(reply: ModelReply): TranscriptMessage {
  const { text: said, toolCalls, providerItems, providerItemsFor } = reply;
  return { role: 'assistant', text: said, toolCalls, ...(providerItems ? { providerItems } : {}), ...(providerItemsFor ? { providerItemsFor } : {}) };
}
