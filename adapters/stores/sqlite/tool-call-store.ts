import { invariant, TollgateError } from '../../../contracts/failures.ts';
import type { ApprovalId, ContentDigest, RunKey } from '../../../contracts/ids.ts';
import type { GateRecord } from '../../../domain/approval/gate.ts';
import type { ConsumeResult, NewToolCall, ToolCallRecord, ToolCallStore } from '../../../domain/store/port.ts';
import { integer, toToolCall } from '../rows.ts';
import { INSERT_CALL } from '../sql.ts';
import type { Connection } from './connection.ts';
import { putNode } from './content-store.ts';
import { findGateRow, writeGate } from './gate-store.ts';
import { actionFacts, useStanding } from './grant-store.ts';
import { findRunRow, runRow } from './run-store.ts';

export function createToolCallStore(db: Connection): ToolCallStore {
  return {
    beginToolCall: async (call) =>
      db.write(() => {
        // There is no way to an irreversible action around consumeApproval.
        invariant(call.effect !== 'irreversible', `the irreversible action ${call.callKey} begins by consuming an approval`);
        const existing = find(db, call.runKey, call.callKey);
        return existing ? { type: 'exists', call: existing } : { type: 'begun', call: insert(db, call) };
      }),
    journalRead: async (call, outcome) =>
      db.write(() => {
        invariant(call.effect === 'read', `only a read is journalled with its outcome alone, and ${call.callKey} is "${call.effect}"`);
        if (!find(db, call.runKey, call.callKey)) insert(db, call);
        return finish(db, call.runKey, call.callKey, outcome);
      }),
    consumeApproval: async (call, rule) => db.write(() => consume(db, call, rule)),
    getToolCall: async (runKey, callKey) => db.read(() => find(db, runKey, callKey)),
    listToolCalls: async (runKey) =>
      db.read(() =>
        db.all('SELECT * FROM tool_calls WHERE run = :run ORDER BY id', { run: findRunRow(db, runKey) ?? -1 }).map((row) => toToolCall(row, runKey)),
      ),
    findActions: async (runKey, tool, argumentsDigest) => db.read(() => actions(db, runKey, tool, argumentsDigest)),
    claimRecordedLine: async (runKey, callKey, lines, recording) => db.write(() => claim(db, runKey, callKey, lines, recording)),
    finishToolCall: async (runKey, callKey, outcome) => db.write(() => finish(db, runKey, callKey, outcome)),
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
  if (permission.type !== 'permitted') return permission;
  const earlier = actions(db, call.runKey, call.tool, call.argumentsDigest);
  const last = earlier.at(-1);
  if (last && earlier.length > call.occurrence) return { type: 'repeated', earlier: last };
  const consumed: GateRecord = { ...gate, status: 'consumed', consumedAtMs: nowMs };
  const run = runRow(db, call.runKey);
  writeGate(db, run, consumed);
  useStanding(db, run, gate, permission.standingMicro);
  return { type: 'permitted', call: insert(db, call), gate: consumed };
}

function insert(db: Connection, call: NewToolCall): ToolCallRecord {
  const { runKey, ...columns } = call;
  db.run(INSERT_CALL, { run: runRow(db, runKey), ...columns, now: db.now() });
  return known(db, runKey, call.callKey);
}

function actions(db: Connection, runKey: RunKey, tool: string, argumentsDigest: string): ToolCallRecord[] {
  return db
    .all(`SELECT * FROM tool_calls WHERE run = :run AND tool = :tool AND arguments_digest = :argumentsDigest AND status <> 'failed' ORDER BY id`, {
      run: findRunRow(db, runKey) ?? -1,
      tool,
      argumentsDigest,
    })
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

function finish(db: Connection, runKey: RunKey, callKey: string, outcome: Parameters<ToolCallStore['finishToolCall']>[2]): ToolCallRecord {
  const run = runRow(db, runKey);
  const before = known(db, runKey, callKey);
  const isOpen = before.status === 'intent' || (before.status === 'inDoubt' && outcome.status !== 'inDoubt');
  if (!isOpen) return before;
  db.run('UPDATE tool_calls SET status = :status, result_json = :result, is_error = :isError, ended_at_ms = :now WHERE run = :run AND call_key = :callKey', {
    run,
    callKey,
    status: outcome.status,
    result: JSON.stringify(outcome.result),
    isError: outcome.isError ? 1 : 0,
    now: db.now(),
  });
  if (outcome.message) putNode(db, run, callKey, outcome.message);
  return known(db, runKey, callKey);
}

function find(db: Connection, runKey: RunKey, callKey: string): ToolCallRecord | null {
  const row = db.get('SELECT * FROM tool_calls WHERE run = :run AND call_key = :callKey', { run: findRunRow(db, runKey) ?? -1, callKey });
  return row ? toToolCall(row, runKey) : null;
}

function findByApproval(db: Connection, runKey: RunKey, approvalId: ApprovalId): ToolCallRecord | null {
  const row = db.get('SELECT * FROM tool_calls WHERE run = :run AND approval_id = :approvalId', { run: findRunRow(db, runKey) ?? -1, approvalId });
  return row ? toToolCall(row, runKey) : null;
}

function known(db: Connection, runKey: RunKey, callKey: string): ToolCallRecord {
  const call = find(db, runKey, callKey);
  if (!call) throw new TollgateError('journalMissing', `The store has no tool call ${callKey} of run ${runKey.agentRunId}.`);
  return call;
}
