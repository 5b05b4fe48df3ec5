import type { DecisionAnswer, GateStatus } from '../../../contracts/approval.ts';
import { invariant } from '../../../contracts/failures.ts';
import type { ApprovalId, RunKey } from '../../../contracts/ids.ts';
import { close, type GateRecord } from '../../../domain/approval/gate.ts';
import { nanoUsd } from '../../../domain/budget/ledger.ts';
import type { GateFilter, GateStore } from '../../../domain/store/port.ts';
import { json, listLimit, runScopeKey, tokenScopeKey } from '../rows.ts';
import { gateClosed, gateOpened } from '../audit-facts.ts';
import { writeAudit } from './audit-store.ts';
import type { Connection } from './connection.ts';
import { ledgerOf } from './ledger-store.ts';
import { notify } from './notification-store.ts';
import { findRunRow, runRow } from './run-store.ts';

export function createGateStore(db: Connection): GateStore {
  return {
    createGate: async (gate) => db.write(() => create(db, gate)),
    getGate: async (runKey, approvalId) => db.read(() => findGateRow(db, runKey, approvalId)),
    findGate: async (approvalId) => {
      const row = db.read(() => db.get('SELECT gate_json FROM gates WHERE approval_id = :approvalId ORDER BY id DESC LIMIT 1', { approvalId }));
      return row ? json<GateRecord>(row, 'gate_json') : null;
    },
    listGates: async (filter) => db.read(() => list(db, filter)),
    decideGate: async (runKey, approvalId, rule, audit) => db.write(() => decideGate(db, runKey, approvalId, rule, audit)),
    changeGate: async (runKey, approvalId, change) => db.write(() => changeGate(db, runKey, approvalId, change)),
    closeGate: async (runKey, approvalId, status) => db.write(() => closeGate(db, runKey, approvalId, status)),
    withdrawGatesExcept: async (runKey, live) => db.write(() => endGates(db, runRow(db, runKey), live)),
    raiseLimit: async (runKey, approvalId, amount, rule) => db.write(() => raise(db, runKey, approvalId, amount, rule)),
  };
}

/** The gate under its run, null where there is none. */
export function findGateRow(db: Connection, runKey: RunKey, approvalId: ApprovalId): GateRecord | null {
  const row = db.get('SELECT gate_json FROM gates WHERE run = :run AND approval_id = :approvalId', { run: findRunRow(db, runKey) ?? -1, approvalId });
  return row ? json<GateRecord>(row, 'gate_json') : null;
}

/** Replaces a gate's row inside the caller's transaction. */
export function writeGate(db: Connection, run: number, gate: GateRecord): void {
  db.run('UPDATE gates SET status = :status, gate_json = :gate WHERE run = :run AND approval_id = :approvalId', {
    run,
    approvalId: gate.approvalId,
    status: gate.status,
    gate: JSON.stringify(gate),
  });
}

/** Withdraws the run's open and approved gates that are not in `live`. */
export function endGates(db: Connection, run: number, live: readonly ApprovalId[]): ApprovalId[] {
  const rows = db.all("SELECT gate_json FROM gates WHERE run = :run AND status IN ('open', 'approved')", { run });
  const left = rows.map((row) => json<GateRecord>(row, 'gate_json')).filter((gate) => !live.includes(gate.approvalId));
  for (const gate of left) {
    const closed = close(gate, 'withdrawn', db.now());
    if (!closed) continue;
    writeGate(db, run, closed);
    notify(db, gate, closed);
    writeAudit(db, gateClosed(gate.runKey, gate.approvalId, 'withdrawn'));
  }
  return left.map((gate) => gate.approvalId);
}

function create(db: Connection, gate: GateRecord): GateRecord {
  const existing = findGateRow(db, gate.runKey, gate.approvalId);
  if (existing) return existing;
  const { approvalId, status } = gate;
  db.run('INSERT INTO gates (run, approval_id, status, gate_json) VALUES (:run, :approvalId, :status, :gate)', {
    run: runRow(db, gate.runKey),
    approvalId,
    status,
    gate: JSON.stringify(gate),
  });
  notify(db, null, gate);
  writeAudit(db, gateOpened(gate));
  return gate;
}

function list(db: Connection, { runKey, status, tenant, after, limit }: GateFilter): GateRecord[] {
  const ofTenant = tenant && 'run IN (SELECT id FROM runs WHERE tenant = :tenant)';
  const later = after && 'id > (SELECT MAX(id) FROM gates WHERE approval_id = :after)';
  const conditions = [runKey && 'run = :run', status && 'status = :status', ofTenant, later].filter(Boolean);
  const where = conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : '';
  const parameters = {
    ...(runKey ? { run: findRunRow(db, runKey) ?? -1 } : {}),
    ...(status ? { status } : {}),
    ...(tenant ? { tenant } : {}),
    ...(after ? { after } : {}),
    limit: listLimit(limit),
  };
  return db.all(`SELECT gate_json FROM gates ${where} ORDER BY id LIMIT :limit`, parameters).map((row) => json<GateRecord>(row, 'gate_json'));
}

function decideGate(
  db: Connection,
  runKey: RunKey,
  approvalId: ApprovalId,
  rule: Parameters<GateStore['decideGate']>[2],
  audit: Parameters<GateStore['decideGate']>[3],
): DecisionAnswer | null {
  const gate = findGateRow(db, runKey, approvalId);
  if (!gate) return null;
  const { gate: next, answer } = rule(gate, db.now());
  if (next) {
    writeGate(db, runRow(db, runKey), next);
    notify(db, gate, next);
  }
  const entry = audit(answer);
  if (entry) writeAudit(db, entry);
  return answer;
}

function changeGate(db: Connection, runKey: RunKey, approvalId: ApprovalId, change: Parameters<GateStore['changeGate']>[2]): GateRecord | null {
  const gate = findGateRow(db, runKey, approvalId);
  const changed = gate && change(gate, db.now());
  if (!changed) return gate;
  writeGate(db, runRow(db, runKey), changed.gate);
  for (const entry of changed.audit) writeAudit(db, entry);
  return changed.gate;
}

function closeGate(db: Connection, runKey: RunKey, approvalId: ApprovalId, status: 'expired' | 'withdrawn' | 'superseded'): GateStatus | null {
  const gate = findGateRow(db, runKey, approvalId);
  if (!gate) return null;
  const closed = close(gate, status, db.now());
  if (!closed) return gate.status;
  writeGate(db, runRow(db, runKey), closed);
  notify(db, gate, closed);
  writeAudit(db, gateClosed(runKey, approvalId, status));
  return closed.status;
}

function raise(
  db: Connection,
  runKey: RunKey,
  approvalId: ApprovalId,
  amount: Parameters<GateStore['raiseLimit']>[2],
  rule: Parameters<GateStore['raiseLimit']>[3],
): Awaited<ReturnType<GateStore['raiseLimit']>> {
  const gate = findGateRow(db, runKey, approvalId);
  if (!gate) return { type: 'refused', gateStatus: 'withdrawn', message: `The store has no gate ${approvalId} of this run.` };
  invariant(gate.kind === 'budget', `only a budget gate raises a limit; ${approvalId} is of kind ${gate.kind}`);
  if (gate.status !== 'consumed') {
    const nowMs = db.now();
    const permission = rule(gate, nowMs);
    if (permission.type === 'refused') return permission;
    writeGate(db, runRow(db, runKey), { ...gate, status: 'consumed', consumedAtMs: nowMs });
    raiseRunLimit(db, runKey, amount);
    writeAudit(db, { type: 'budget.raised', runKey, actor: 'tollgate', data: { approvalId, amountNanoUsd: amount.nanoUsd, amountTokens: amount.tokens } });
  }
  const ledger = ledgerOf(db, runKey);
  invariant(ledger, `run ${runKey.agentRunId} has a budget scope`);
  return { type: 'raised', ledger };
}

/** The one way by which a run's limits rise, inside the caller's transaction. Never lowers one. */
export function raiseRunLimit(db: Connection, runKey: RunKey, amount: { readonly nanoUsd: number; readonly tokens: number }): void {
  const raiseScope = (key: string, by: number) =>
    db.run("UPDATE scopes SET limit_nano_usd = limit_nano_usd + :by WHERE kind = 'run' AND scope_key = :key", { by: nanoUsd(by), key });
  raiseScope(runScopeKey(runKey), amount.nanoUsd);
  raiseScope(tokenScopeKey(runKey), amount.tokens);
}
