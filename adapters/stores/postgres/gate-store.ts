import type { DecisionAnswer, GateStatus } from '../../../contracts/approval.ts';
import type { NanoUsd } from '../../../contracts/budget.ts';
import { invariant } from '../../../contracts/failures.ts';
import type { ApprovalId, RunKey } from '../../../contracts/ids.ts';
import { close, type GateRecord } from '../../../domain/approval/gate.ts';
import { nanoUsd } from '../../../domain/budget/ledger.ts';
import type { GateFilter, GateStore } from '../../../domain/store/port.ts';
import { json, listLimit, runScopeKey, tokenScopeKey, toTotals } from '../rows.ts';
import { RUN_ROW } from '../sql.ts';
import { gateClosed, gateOpened } from '../audit-facts.ts';
import { writeAudit } from './audit-store.ts';
import type { Database, Session } from './database.ts';
import { ledgerOf } from './ledger-store.ts';
import { notify } from './notification-store.ts';
import { runRow, unknownRun } from './run-store.ts';

const SELECT_GATE = `SELECT gate_json FROM gates WHERE run = ${RUN_ROW} AND approval_id = :approvalId`;

export function createGateStore(db: Database): GateStore {
  return {
    createGate: (gate) => db.transaction((session) => create(session, gate)),
    getGate: (runKey, approvalId) => findGateRow(db, runKey, approvalId),
    findGate: async (approvalId) => {
      const row = await db.get('SELECT gate_json FROM gates WHERE approval_id = :approvalId ORDER BY id DESC LIMIT 1', { approvalId });
      return row ? json<GateRecord>(row, 'gate_json') : null;
    },
    listGates: (filter) => list(db, filter),
    decideGate: (runKey, approvalId, rule, audit) => db.transaction((session) => decideGate(session, runKey, approvalId, rule, audit)),
    changeGate: (runKey, approvalId, change) => db.transaction((session) => changeGate(session, runKey, approvalId, change)),
    closeGate: (runKey, approvalId, status) => db.transaction((session) => closeGate(session, runKey, approvalId, status)),
    withdrawGatesExcept: (runKey, live) => db.transaction(async (session) => endGates(session, await runRow(session, runKey), live)),
    raiseLimit: (runKey, approvalId, amount, rule) => db.transaction((session) => raise(session, runKey, approvalId, amount, rule)),
  };
}

/** The gate under its run, locked until the end of the transaction; null where there is none. */
export async function lockGate(session: Session, runKey: RunKey, approvalId: ApprovalId): Promise<GateRecord | null> {
  const row = await session.get(`${SELECT_GATE} FOR NO KEY UPDATE`, { ...runKey, approvalId });
  return row ? json<GateRecord>(row, 'gate_json') : null;
}

/** Replaces the row of a gate that the caller has locked. */
export async function writeGate(session: Session, gate: GateRecord): Promise<void> {
  const { runKey, approvalId, status } = gate;
  await session.all(`UPDATE gates SET status = :status, gate_json = :gate WHERE run = ${RUN_ROW} AND approval_id = :approvalId`, {
    ...runKey,
    approvalId,
    status,
    gate: JSON.stringify(gate),
  });
}

/** Withdraws the run's open and approved gates that are not in `live`. */
export async function endGates(session: Session, run: number, live: readonly ApprovalId[]): Promise<ApprovalId[]> {
  const rows = await session.all("SELECT gate_json FROM gates WHERE run = :run AND status IN ('open', 'approved') ORDER BY id FOR NO KEY UPDATE", { run });
  const left = rows.map((row) => json<GateRecord>(row, 'gate_json')).filter((gate) => !live.includes(gate.approvalId));
  if (left.length === 0) return [];
  const nowMs = await session.nowMs();
  for (const gate of left) {
    const closed = close(gate, 'withdrawn', nowMs);
    if (!closed) continue;
    await writeGate(session, closed);
    await notify(session, gate, closed);
  }
  for (const { runKey, approvalId } of left) await writeAudit(session, gateClosed(runKey, approvalId, 'withdrawn'));
  return left.map((gate) => gate.approvalId);
}

async function findGateRow(session: Session, runKey: RunKey, approvalId: ApprovalId): Promise<GateRecord | null> {
  const row = await session.get(SELECT_GATE, { ...runKey, approvalId });
  return row ? json<GateRecord>(row, 'gate_json') : null;
}

async function create(session: Session, gate: GateRecord): Promise<GateRecord> {
  const { runKey, approvalId, status } = gate;
  const inserted = await session.get(
    `INSERT INTO gates (run, approval_id, status, gate_json)
     SELECT id, :approvalId, :status, :gate FROM runs WHERE agent_run_id = :agentRunId AND first_execution_run_id = :firstExecutionRunId
     ON CONFLICT DO NOTHING RETURNING id`,
    { ...runKey, approvalId, status, gate: JSON.stringify(gate) },
  );
  if (inserted) {
    await notify(session, null, gate);
    await writeAudit(session, gateOpened(gate));
    return gate;
  }
  const existing = await findGateRow(session, runKey, approvalId);
  if (!existing) throw unknownRun(runKey);
  return existing;
}

async function list(session: Session, { runKey, status, tenant, after, limit }: GateFilter): Promise<GateRecord[]> {
  const ofTenant = tenant && 'run IN (SELECT id FROM runs WHERE tenant = :tenant)';
  const later = after && 'id > (SELECT MAX(id) FROM gates WHERE approval_id = :after)';
  const conditions = [runKey && `run = ${RUN_ROW}`, status && 'status = :status', ofTenant, later].filter(Boolean);
  const where = conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : '';
  const rows = await session.all(`SELECT gate_json FROM gates ${where} ORDER BY id LIMIT :limit`, {
    ...runKey,
    status,
    tenant,
    after,
    limit: listLimit(limit),
  });
  return rows.map((row) => json<GateRecord>(row, 'gate_json'));
}

async function decideGate(
  session: Session,
  runKey: RunKey,
  approvalId: ApprovalId,
  rule: Parameters<GateStore['decideGate']>[2],
  audit: Parameters<GateStore['decideGate']>[3],
): Promise<DecisionAnswer | null> {
  const gate = await lockGate(session, runKey, approvalId);
  if (!gate) return null;
  const { gate: next, answer } = rule(gate, await session.nowMs());
  if (next) {
    await writeGate(session, next);
    await notify(session, gate, next);
  }
  const entry = audit(answer);
  if (entry) await writeAudit(session, entry);
  return answer;
}

async function changeGate(
  session: Session,
  runKey: RunKey,
  approvalId: ApprovalId,
  change: Parameters<GateStore['changeGate']>[2],
): Promise<GateRecord | null> {
  const gate = await lockGate(session, runKey, approvalId);
  const changed = gate && change(gate, await session.nowMs());
  if (!changed) return gate;
  await writeGate(session, changed.gate);
  for (const entry of changed.audit) await writeAudit(session, entry);
  return changed.gate;
}

async function closeGate(session: Session, runKey: RunKey, approvalId: ApprovalId, status: 'expired' | 'withdrawn' | 'superseded'): Promise<GateStatus | null> {
  const gate = await lockGate(session, runKey, approvalId);
  if (!gate) return null;
  const closed = close(gate, status, await session.nowMs());
  if (!closed) return gate.status;
  await writeGate(session, closed);
  await notify(session, gate, closed);
  await writeAudit(session, gateClosed(runKey, approvalId, status));
  return closed.status;
}

async function raise(
  session: Session,
  runKey: RunKey,
  approvalId: ApprovalId,
  amount: Parameters<GateStore['raiseLimit']>[2],
  rule: Parameters<GateStore['raiseLimit']>[3],
): ReturnType<GateStore['raiseLimit']> {
  const gate = await lockGate(session, runKey, approvalId);
  if (!gate) return { type: 'refused', gateStatus: 'withdrawn', message: `The store has no gate ${approvalId} of this run.` };
  invariant(gate.kind === 'budget', `only a budget gate raises a limit; ${approvalId} is of kind ${gate.kind}`);
  if (gate.status !== 'consumed') {
    const nowMs = await session.nowMs();
    const permission = rule(gate, nowMs);
    if (permission.type === 'refused') return permission;
    await writeGate(session, { ...gate, status: 'consumed', consumedAtMs: nowMs });
    await raiseRunLimit(session, runKey, amount);
    const data = { approvalId, amountNanoUsd: amount.nanoUsd, amountTokens: amount.tokens };
    await writeAudit(session, { type: 'budget.raised', runKey, actor: 'tollgate', data });
  }
  const ledger = await ledgerOf(session, runKey);
  invariant(ledger, `run ${runKey.agentRunId} has a budget scope`);
  return { type: 'raised', ledger };
}

/** The one way by which a run's limits rise, inside the caller's transaction. Never lowers one. */
export async function raiseRunLimit(session: Session, runKey: RunKey, amount: { readonly nanoUsd: number; readonly tokens: number }): Promise<void> {
  await raiseScope(session, runScopeKey(runKey), nanoUsd(amount.nanoUsd));
  if (amount.tokens > 0) await raiseScope(session, tokenScopeKey(runKey), nanoUsd(amount.tokens));
}

async function raiseScope(session: Session, key: string, amount: NanoUsd): Promise<void> {
  const columns = 'limit_nano_usd, settled_nano_usd, held_nano_usd, written_off_nano_usd, overrun_nano_usd';
  const scope = await session.get(`SELECT ${columns} FROM scopes WHERE kind = 'run' AND scope_key = :key FOR NO KEY UPDATE`, { key });
  invariant(scope, `there is a budget scope ${key}`);
  const limit = nanoUsd(toTotals(scope).limitNanoUsd + amount);
  await session.all("UPDATE scopes SET limit_nano_usd = :limit WHERE kind = 'run' AND scope_key = :key", { key, limit });
}
