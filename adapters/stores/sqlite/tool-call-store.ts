import { invariant, TollgateError } from '../../../contracts/failures.ts';
import type { ApprovalId, ContentDigest, RunKey } from '../../../contracts/ids.ts';
import type { GateRecord } from '../../../domain/approval/gate.ts';
import type { ConsumeResult, NewToolCall, ToolCallRecord, ToolCallStore } from '../../../domain/store/port.ts';
import { integer, toToolCall } from '../rows.ts';
import { INSERT_CALL, RUN_ROW } from '../sql.ts';
import { callBegun, callEnded, callRefused } from '../audit-facts.ts';
import { writeAudit } from './audit-store.ts';
import type { Connection } from './connection.ts';
import { putNode } from './content-store.ts';
import { findGateRow, writeGate } from './gate-store.ts';
import { actionFacts, useStanding } from './grant-store.ts';
import { runRow } from './run-store.ts';

const SELECT_CALLS = `SELECT * FROM tool_calls WHERE run = ${RUN_ROW}`;

export function createToolCallStore(db: Connection): ToolCallStore {
  return {
    beginToolCall: async (call) =>
      db.write(() => {
        // There is no way to an irreversible action around consumeApproval.
        invariant(call.effect !== 'irreversible', `the irreversible action ${call.callKey} begins by consuming an approval`);
        const existing = find(db, call.runKey, call.callKey);
        if (existing) return { type: 'exists', call: existing };
        const begun = insert(db, call);
        // Of a read, the outcome says all.
        if (call.effect !== 'read') writeAudit(db, callBegun(call));
        return { type: 'begun', call: begun };
      }),
    journalRead: async (call, outcome, tookMs) =>
      db.write(() => {
        invariant(call.effect === 'read', `only a read is journalled with its outcome alone, and ${call.callKey} is "${call.effect}"`);
        return finish(db, find(db, call.runKey, call.callKey) ?? insert(db, call, tookMs), outcome);
      }),
    consumeApproval: async (call, rule) => db.write(() => consume(db, call, rule)),
    getToolCall: async (runKey, callKey) => db.readOne(() => find(db, runKey, callKey)),
    listToolCalls: async (runKey) => db.readOne(() => db.all(`${SELECT_CALLS} ORDER BY id`, { ...runKey }).map((row) => toToolCall(row, runKey))),
    findActions: async (runKey, tool, argumentsDigest) => db.readOne(() => actions(db, runKey, tool, argumentsDigest)),
    claimRecordedLine: async (runKey, callKey, lines, recording) => db.write(() => claim(db, runKey, callKey, lines, recording)),
    finishToolCall: async (runKey, callKey, outcome) => db.write(() => finish(db, known(db, runKey, callKey), outcome)),
  };
}

/** The check and the consumption of an approval, and the intent that it permits, under one write lock. */
function consume(
  db: Connection,
  call: NewToolCall & { readonly approvalId: ApprovalId },
  rule: Parameters<ToolCallStore['consumeApproval']>[1],
): ConsumeResult {
  const existing = find(db, call.runKey, call.callKey) ?? findByApproval(db, call.runKey, call.approvalId);
  if (existing) return { type: 'exists', call: existing };
  const gate = findGateRow(db, call.runKey, call.approvalId);
  if (!gate) return { type: 'refused', gateStatus: 'withdrawn', message: `The store has no gate ${call.approvalId} of this run.` };
  const nowMs = db.now();
  const permission = rule(gate, nowMs, actionFacts(db, gate, call.tool));
  if (permission.type === 'refused') writeAudit(db, callRefused(call, permission.gateStatus));
  if (permission.type !== 'permitted') return permission;
  const earlier = actions(db, call.runKey, call.tool, call.argumentsDigest);
  const last = earlier.at(-1);
  if (last && earlier.length > call.occurrence) return { type: 'repeated', earlier: last };
  const consumed: GateRecord = { ...gate, status: 'consumed', consumedAtMs: nowMs };
  const run = runRow(db, call.runKey);
  writeGate(db, run, consumed);
  useStanding(db, run, gate, permission.standingMicro);
  const intent = insert(db, call);
  writeAudit(db, callBegun(call));
  return { type: 'permitted', call: intent, gate: consumed };
}

function insert(db: Connection, call: NewToolCall, tookMs = 0): ToolCallRecord {
  const { runKey, ...columns } = call;
  return toToolCall(db.get(`${INSERT_CALL} RETURNING *`, { run: runRow(db, runKey), ...columns, now: db.now(), tookMs: Math.round(tookMs) }) ?? {}, runKey);
}

function actions(db: Connection, runKey: RunKey, tool: string, argumentsDigest: string): ToolCallRecord[] {
  return db
    .all(`${SELECT_CALLS} AND tool = :tool AND arguments_digest = :argumentsDigest AND status <> 'failed' ORDER BY id`, { ...runKey, tool, argumentsDigest })
    .map((row) => toToolCall(row, runKey));
}

function claim(db: Connection, runKey: RunKey, callKey: string, lines: readonly number[], recording: ContentDigest): number | null {
  const run = runRow(db, runKey);
  const own = known(db, runKey, callKey).recordedLine;
  if (own !== null) return own;
  const used = new Set(
    db
      .all('SELECT recorded_line FROM tool_calls WHERE run = :run AND recording = :recording AND recorded_line IS NOT NULL', { run, recording })
      .map((row) => integer(row, 'recorded_line')),
  );
  const line = lines.find((candidate) => !used.has(candidate));
  if (line === undefined) return null;
  db.run('UPDATE tool_calls SET recorded_line = :line, recording = :recording WHERE run = :run AND call_key = :callKey', { run, callKey, line, recording });
  return line;
}

function finish(db: Connection, before: ToolCallRecord, outcome: Parameters<ToolCallStore['finishToolCall']>[2]): ToolCallRecord {
  const isOpen = before.status === 'intent' || (before.status === 'inDoubt' && outcome.status !== 'inDoubt');
  if (!isOpen) return before;
  const { runKey, callKey } = before;
  const row = db.get(
    `UPDATE tool_calls SET status = :status, result_json = :result, is_error = :isError, ended_at_ms = :now
     WHERE run = ${RUN_ROW} AND call_key = :callKey RETURNING *`,
    {
      ...runKey,
      callKey,
      status: outcome.status,
      result: JSON.stringify(outcome.result),
      isError: outcome.isError ? 1 : 0,
      now: db.now(),
    },
  );
  const after = toToolCall(row ?? {}, runKey);
  if (outcome.message) putNode(db, integer(row ?? {}, 'run'), callKey, outcome.message);
  writeAudit(db, callEnded(after));
  return after;
}

function find(db: Connection, runKey: RunKey, callKey: string): ToolCallRecord | null {
  const row = db.get(`${SELECT_CALLS} AND call_key = :callKey`, { ...runKey, callKey });
  return row ? toToolCall(row, runKey) : null;
}

function findByApproval(db: Connection, runKey: RunKey, approvalId: ApprovalId): ToolCallRecord | null {
  const row = db.get(`${SELECT_CALLS} AND approval_id = :approvalId`, { ...runKey, approvalId });
  return row ? toToolCall(row, runKey) : null;
}

function known(db: Connection, runKey: RunKey, callKey: string): ToolCallRecord {
  const call = find(db, runKey, callKey);
  if (!call) throw new TollgateError('journalMissing', `The store has no tool call ${callKey} of run ${runKey.agentRunId}.`);
  return call;
}
