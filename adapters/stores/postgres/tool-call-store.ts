import { invariant, TollgateError } from '../../../contracts/failures.ts';
import type { ApprovalId, ContentDigest, RunKey } from '../../../contracts/ids.ts';
import type { GateRecord } from '../../../domain/approval/gate.ts';
import type { ConsumeResult, NewToolCall, ToolCallRecord, ToolCallStore } from '../../../domain/store/port.ts';
import { integer, toToolCall } from '../rows.ts';
import { CALL_COLUMNS, INSERT_CALL, RUN_ROW } from '../sql.ts';
import { callBegun, callEnded, callRefused } from '../audit-facts.ts';
import { writeAudit } from './audit-store.ts';
import { putNode } from './content-store.ts';
import type { Database, Session } from './database.ts';
import { lockGate, writeGate } from './gate-store.ts';
import { actionFacts, holdStops, useStanding } from './grant-store.ts';
import { lockRun, runRow, unknownRun } from './run-store.ts';

const SELECT_CALLS = `SELECT ${CALL_COLUMNS} FROM tool_calls WHERE run = ${RUN_ROW}`;

export function createToolCallStore(db: Database): ToolCallStore {
  return {
    beginToolCall: async (call) => {
      // There is no way to an irreversible action around consumeApproval.
      invariant(call.effect !== 'irreversible', `the irreversible action ${call.callKey} begins by consuming an approval`);
      const begun = call.effect === 'read' ? await insert(db, await runRow(db, call.runKey), call) : await db.transaction((session) => begin(session, call));
      return begun ? { type: 'begun', call: begun } : { type: 'exists', call: await known(db, call.runKey, call.callKey) };
    },
    journalRead: (call, outcome, tookMs) =>
      db.transaction(async (session) => {
        invariant(call.effect === 'read', `only a read is journalled with its outcome alone, and ${call.callKey} is "${call.effect}"`);
        await insert(session, await runRow(session, call.runKey), call, tookMs);
        return finish(session, call.runKey, call.callKey, outcome);
      }),
    consumeApproval: (call, rule) => db.transaction((session) => consume(session, call, rule)),
    getToolCall: (runKey, callKey) => find(db, runKey, callKey),
    listToolCalls: async (runKey) => (await db.all(`${SELECT_CALLS} ORDER BY id`, { ...runKey })).map((row) => toToolCall(row, runKey)),
    findActions: (runKey, tool, argumentsDigest) => actions(db, runKey, tool, argumentsDigest),
    claimRecordedLine: (runKey, callKey, lines, recording) => db.transaction((session) => claim(session, runKey, callKey, lines, recording)),
    finishToolCall: (runKey, callKey, outcome) => db.transaction((session) => finish(session, runKey, callKey, outcome)),
  };
}

/**
 * The check and the consumption of an approval, and the intent that it permits. The run is locked, because two approvals
 * for the very same action are rows of their own and would not see each other.
 */
async function consume(
  session: Session,
  call: NewToolCall & { readonly approvalId: ApprovalId },
  rule: Parameters<ToolCallStore['consumeApproval']>[1],
): Promise<ConsumeResult> {
  const { runKey, callKey, approvalId } = call;
  await holdStops(session);
  const run = await lockRun(session, runKey);
  const sql = `${SELECT_CALLS} AND (call_key = :callKey OR approval_id = :approvalId) ORDER BY call_key = :callKey DESC LIMIT 1`;
  const existing = await session.get(sql, { ...runKey, callKey, approvalId });
  if (existing) return { type: 'exists', call: toToolCall(existing, runKey) };
  const gate = await lockGate(session, runKey, approvalId);
  if (!run || !gate) return { type: 'refused', gateStatus: 'withdrawn', message: `The store has no gate ${approvalId} of this run.` };
  const nowMs = await session.nowMs();
  const permission = rule(gate, nowMs, await actionFacts(session, gate, call.tool));
  if (permission.type === 'refused') await writeAudit(session, callRefused(call, permission.gateStatus));
  if (permission.type !== 'permitted') return permission;
  const earlier = await actions(session, runKey, call.tool, call.argumentsDigest);
  const last = earlier.at(-1);
  if (last && earlier.length > call.occurrence) return { type: 'repeated', earlier: last };
  const consumed: GateRecord = { ...gate, status: 'consumed', consumedAtMs: nowMs };
  await writeGate(session, consumed);
  const intent = await insert(session, integer(run, 'id'), call);
  invariant(intent, `the intent of ${callKey} is new under the lock of its run`);
  await useStanding(session, integer(run, 'id'), gate, permission.standingMicro);
  await writeAudit(session, callBegun(call));
  return { type: 'permitted', call: intent, gate: consumed };
}

/** A write is audited before it is sent. Of a read, the outcome says all. */
async function begin(session: Session, call: NewToolCall): Promise<ToolCallRecord | null> {
  const begun = await insert(session, await runRow(session, call.runKey), call);
  if (begun) await writeAudit(session, callBegun(call));
  return begun;
}

/** Null where the call is there already. */
async function insert(session: Session, run: number, { runKey, ...columns }: NewToolCall, tookMs = 0): Promise<ToolCallRecord | null> {
  const row = await session.get(`${INSERT_CALL} ON CONFLICT DO NOTHING RETURNING ${CALL_COLUMNS}`, { run, ...columns, tookMs: Math.round(tookMs) });
  return row ? toToolCall(row, runKey) : null;
}

async function actions(session: Session, runKey: RunKey, tool: string, argumentsDigest: string): Promise<ToolCallRecord[]> {
  const sql = `${SELECT_CALLS} AND tool = :tool AND arguments_digest = :argumentsDigest AND status <> 'failed' ORDER BY id`;
  return (await session.all(sql, { ...runKey, tool, argumentsDigest })).map((row) => toToolCall(row, runKey));
}

async function claim(session: Session, runKey: RunKey, callKey: string, lines: readonly number[], recording: ContentDigest): Promise<number | null> {
  const locked = await lockRun(session, runKey);
  if (!locked) throw unknownRun(runKey);
  const run = integer(locked, 'id');
  const own = (await known(session, runKey, callKey)).recordedLine;
  if (own !== null) return own;
  const rows = await session.all('SELECT recorded_line FROM tool_calls WHERE run = :run AND recording = :recording AND recorded_line IS NOT NULL', {
    run,
    recording,
  });
  const used = new Set(rows.map((row) => integer(row, 'recorded_line')));
  const line = lines.find((candidate) => !used.has(candidate));
  if (line === undefined) return null;
  await session.all('UPDATE tool_calls SET recorded_line = :line, recording = :recording WHERE run = :run AND call_key = :callKey', {
    run,
    callKey,
    line,
    recording,
  });
  return line;
}

async function finish(session: Session, runKey: RunKey, callKey: string, outcome: Parameters<ToolCallStore['finishToolCall']>[2]): Promise<ToolCallRecord> {
  const row = await session.get(`${SELECT_CALLS} AND call_key = :callKey FOR NO KEY UPDATE`, { ...runKey, callKey });
  if (!row) throw unknownCall(runKey, callKey);
  const before = toToolCall(row, runKey);
  const isOpen = before.status === 'intent' || (before.status === 'inDoubt' && outcome.status !== 'inDoubt');
  if (!isOpen) return before;
  const after = await session.get(
    `UPDATE tool_calls SET status = :status, result_json = :result, is_error = :isError, ended_at_ms = :now WHERE id = :id RETURNING ${CALL_COLUMNS}`,
    { id: integer(row, 'id'), status: outcome.status, result: JSON.stringify(outcome.result), isError: outcome.isError ? 1 : 0 },
  );
  if (outcome.message) await putNode(session, await runRow(session, runKey), callKey, outcome.message);
  const ended = toToolCall(after ?? {}, runKey);
  await writeAudit(session, callEnded(ended));
  return ended;
}

async function find(session: Session, runKey: RunKey, callKey: string): Promise<ToolCallRecord | null> {
  const row = await session.get(`${SELECT_CALLS} AND call_key = :callKey`, { ...runKey, callKey });
  return row ? toToolCall(row, runKey) : null;
}

async function known(session: Session, runKey: RunKey, callKey: string): Promise<ToolCallRecord> {
  const call = await find(session, runKey, callKey);
  if (!call) throw unknownCall(runKey, callKey);
  return call;
}

function unknownCall({ agentRunId }: RunKey, callKey: string): TollgateError {
  return new TollgateError('journalMissing', `The store has no tool call ${callKey} of run ${agentRunId}.`);
}
