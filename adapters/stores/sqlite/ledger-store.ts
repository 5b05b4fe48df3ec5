import type { LedgerTotals, NanoUsd, ScopeKind } from '../../../contracts/budget.ts';
import { invariant, TollgateError } from '../../../contracts/failures.ts';
import type { AttemptId, RunKey } from '../../../contracts/ids.ts';
import {
  addDelta,
  applyLedgerEvent,
  fits,
  type LedgerDelta,
  type LedgerEvent,
  nanoUsd,
  reservationDelta,
  ZERO_NANO_USD,
} from '../../../domain/budget/ledger.ts';
import type { MoneyMove } from '../../../domain/budget/held-store-port.ts';
import type { AttemptRecord, LedgerStore, NewAttempt, OutcomeReport, ReserveResult } from '../../../domain/store/port.ts';
import { auditOfMove, demandReason } from '../money-move.ts';
import { integer, type Row, runScopeKey, text, toAttempt, toTotals } from '../rows.ts';
import { INSERT_ATTEMPT, SET_MOVE, SET_OUTCOME } from '../sql.ts';
import { writeAudit } from './audit-store.ts';
import type { Connection } from './connection.ts';
import { learnBound } from './held-store.ts';
import { findRunRow, runRow } from './run-store.ts';

/** A scope that an attempt draws on. Tenant and feature bind where they have a limit. */
const SCOPES_OF_RUN = `
  SELECT * FROM (
  SELECT scopes.*, run_scopes.kind AS drawn_as FROM run_scopes JOIN scopes ON scopes.id = run_scopes.scope WHERE run_scopes.run = :run
  UNION ALL
  SELECT scopes.*, scopes.kind AS drawn_as FROM scopes JOIN runs ON runs.id = :run
  WHERE (scopes.kind = 'tenant' AND scopes.scope_key = runs.tenant)
     OR (scopes.kind = 'feature' AND scopes.scope_key = runs.tenant || '/' || runs.feature)
  ) ORDER BY CASE drawn_as WHEN 'run' THEN 1 WHEN 'parent' THEN 2 WHEN 'tenant' THEN 3 ELSE 4 END, id`;

/** A run that a reset took back goes on. */
const REOPEN_RUN = "UPDATE runs SET status = 'running', end_json = NULL, ended_at_ms = NULL WHERE id = :run AND ended_at_ms IS NOT NULL";

export function createLedgerStore(db: Connection): LedgerStore {
  return {
    reserveAttempt: async (attempt) => db.write(() => reserve(db, attempt)),
    getAttempt: async (runKey, attemptId) => db.read(() => find(db, runKey, attemptId)),
    listAttempts: async (runKey) =>
      db.read(() => db.all('SELECT * FROM attempts WHERE run = :run ORDER BY id', { run: findRunRow(db, runKey) ?? -1 }).map((row) => toAttempt(row, runKey))),
    findReply: async (runKey, step, requestDigest) => db.read(() => findReply(db, runKey, step, requestDigest)),
    setResponseId: async (runKey, attemptId, responseId) => {
      await db.write(() => {
        known(db, runKey, attemptId);
        db.run('UPDATE attempts SET response_id = coalesce(response_id, :responseId) WHERE run = :run AND attempt_id = :attemptId', {
          run: runRow(db, runKey),
          attemptId,
          responseId,
        });
      });
    },
    setProviderRequestId: async (runKey, attemptId, providerRequestId) => {
      await db.write(() => {
        known(db, runKey, attemptId);
        db.run('UPDATE attempts SET provider_request_id = coalesce(provider_request_id, :providerRequestId) WHERE run = :run AND attempt_id = :attemptId', {
          run: runRow(db, runKey),
          attemptId,
          providerRequestId,
        });
      });
    },
    reportAttempt: async (runKey, attemptId, report) => db.write(() => reportOutcome(db, runKey, attemptId, report)),
    moveMoney: async (runKey, attemptId, event, by) => db.write(() => move(db, runKey, attemptId, event, by)),
    getLedger: async (runKey) => db.read(() => ledgerOf(db, runKey)),
  };
}

/** The totals of a run's own scope. */
export function ledgerOf(db: Connection, runKey: RunKey): LedgerTotals | null {
  const row = db.get("SELECT * FROM scopes WHERE kind = 'run' AND scope_key = :key", { key: runScopeKey(runKey) });
  return row ? toTotals(row) : null;
}

function reserve(db: Connection, attempt: NewAttempt): ReserveResult {
  const { runKey, attemptId } = attempt;
  const reservedNanoUsd = nanoUsd(attempt.reservedNanoUsd);
  const setAsideNanoUsd = nanoUsd(attempt.setAsideNanoUsd);
  const run = runRow(db, runKey);
  const existing = find(db, runKey, attemptId);
  if (existing) return { type: 'exists', attempt: existing };

  const scopes = db.all(SCOPES_OF_RUN, { run });
  for (const scope of scopes) {
    const kind = text(scope, 'drawn_as') as ScopeKind;
    const totals = toTotals(scope);
    const setAside = kind === 'run' ? setAsideNanoUsd : ZERO_NANO_USD;
    if (!fits(totals, reservedNanoUsd, setAside))
      return { type: 'rejected', scope: kind, scopeId: text(scope, 'scope_key'), totals, neededNanoUsd: (reservedNanoUsd + setAside) as NanoUsd };
  }
  const { head, requestDigest, dispatchDeadlineMs, step, ordinal, mode, model, provider, endpoint } = attempt;
  const inserted = db.run(INSERT_ATTEMPT, {
    run,
    attemptId,
    step,
    ordinal,
    mode,
    model,
    provider,
    endpoint,
    requestDigest,
    head: JSON.stringify(head),
    reserved: reservedNanoUsd,
    setAside: setAsideNanoUsd,
    dispatchDeadlineMs,
    now: db.now(),
  });
  const row = find(db, runKey, attemptId);
  if (!row) throw new TollgateError('invariantBroken', `Attempt ${attemptId} was inserted and is not there.`);
  if (inserted === 0) return { type: 'exists', attempt: row };
  db.run(REOPEN_RUN, { run });
  const id = attemptRowId(db, run, attemptId);
  for (const scope of scopes) {
    db.run('INSERT INTO attempt_scopes (attempt, scope) VALUES (:id, :scope)', { id, scope: integer(scope, 'id') });
    writeTotals(db, scope, reservationDelta(reservedNanoUsd));
  }
  const ledger = ledgerOf(db, runKey);
  if (!ledger) throw new TollgateError('invariantBroken', `Run ${runKey.agentRunId} has no budget scope.`);
  return { type: 'reserved', attempt: row, ledger };
}

function reportOutcome(db: Connection, runKey: RunKey, attemptId: AttemptId, report: OutcomeReport): AttemptRecord {
  const run = runRow(db, runKey);
  const { reply } = known(db, runKey, attemptId);
  invariant(report.outcome.type !== 'reply' || reply || report.reply, `attempt ${attemptId} has a reply where its outcome is one`);
  if (report.money) applyEvent(db, runKey, attemptId, report.money);
  db.run(`UPDATE attempts SET ${SET_OUTCOME} WHERE run = :run AND attempt_id = :attemptId`, {
    run,
    attemptId,
    outcome: JSON.stringify(report.outcome),
    reply: report.reply ? JSON.stringify(report.reply) : null,
    usage: report.usage ? JSON.stringify(report.usage) : null,
    providerRequestId: report.providerRequestId ?? null,
    now: db.now(),
  });
  return known(db, runKey, attemptId);
}

function move(db: Connection, runKey: RunKey, attemptId: AttemptId, event: LedgerEvent, by: MoneyMove | undefined): AttemptRecord {
  demandReason(event, by);
  if (!applyEvent(db, runKey, attemptId, event)) return known(db, runKey, attemptId);
  db.run(`UPDATE attempts SET ${SET_MOVE} WHERE run = :run AND attempt_id = :attemptId`, {
    run: runRow(db, runKey),
    attemptId,
    reason: event.type === 'writeOff' ? (by?.reason ?? null) : null,
    usage: by?.usage ? JSON.stringify(by.usage) : null,
  });
  if (by) writeAudit(db, auditOfMove(runKey, attemptId, event, by));
  return known(db, runKey, attemptId);
}

/** Moves one attempt's money, and with it every scope that it drew on. What contradicts the journal is kept in the audit. Says whether it moved. */
function applyEvent(db: Connection, runKey: RunKey, attemptId: AttemptId, event: LedgerEvent): boolean {
  const run = runRow(db, runKey);
  const attempt = known(db, runKey, attemptId);
  const transition = applyLedgerEvent(attempt.money, event);
  if (transition.type === 'unchanged') {
    if (transition.conflict) writeAudit(db, { type: 'ledger.conflict', runKey, actor: 'tollgate', data: { attemptId, event, conflict: transition.conflict } });
    return false;
  }
  const id = attemptRowId(db, run, attemptId);
  const { status, settledNanoUsd } = transition.entry;
  const { overrunNanoUsd } = transition.delta;
  db.run('UPDATE attempts SET money_status = :status, settled_nano_usd = :settled, overrun_nano_usd = :overrun WHERE id = :id', {
    id,
    status,
    settled: settledNanoUsd,
    overrun: overrunNanoUsd,
  });
  const scopes = db.all('SELECT scopes.* FROM attempt_scopes JOIN scopes ON scopes.id = attempt_scopes.scope WHERE attempt = :id', { id });
  for (const scope of scopes) writeTotals(db, scope, transition.delta);
  if (overrunNanoUsd > 0) {
    learnBound(db, attempt, settledNanoUsd ?? 0);
    writeAudit(db, { type: 'ledger.overrun', runKey, actor: 'tollgate', data: { attemptId, overrunNanoUsd } });
  }
  return true;
}

function writeTotals(db: Connection, scope: Row, delta: LedgerDelta): void {
  const totals = addDelta(toTotals(scope), delta);
  db.run(
    `UPDATE scopes SET settled_nano_usd = :settled, held_nano_usd = :held, written_off_nano_usd = :writtenOff, overrun_nano_usd = :overrun WHERE id = :id`,
    {
      id: integer(scope, 'id'),
      settled: totals.settledNanoUsd,
      held: totals.heldNanoUsd,
      writtenOff: totals.writtenOffNanoUsd,
      overrun: totals.overrunNanoUsd,
    },
  );
}

function findReply(db: Connection, runKey: RunKey, step: number, requestDigest: string): AttemptRecord | null {
  const row = db.get(
    `SELECT * FROM attempts WHERE run = :run AND step = :step AND request_digest = :requestDigest AND outcome_json = '{"type":"reply"}' ORDER BY id LIMIT 1`,
    { run: runRow(db, runKey), step, requestDigest },
  );
  return row ? toAttempt(row, runKey) : null;
}

function attemptRowId(db: Connection, run: number, attemptId: AttemptId): number {
  const row = db.get('SELECT id FROM attempts WHERE run = :run AND attempt_id = :attemptId', { run, attemptId });
  if (!row) throw new TollgateError('journalMissing', `The store has no attempt ${attemptId}.`);
  return integer(row, 'id');
}

function known(db: Connection, runKey: RunKey, attemptId: AttemptId): AttemptRecord {
  const attempt = find(db, runKey, attemptId);
  if (!attempt) throw new TollgateError('journalMissing', `The store has no attempt ${attemptId} of run ${runKey.agentRunId}.`);
  return attempt;
}

function find(db: Connection, runKey: RunKey, attemptId: AttemptId): AttemptRecord | null {
  const row = db.get('SELECT * FROM attempts WHERE run = :run AND attempt_id = :attemptId', { run: findRunRow(db, runKey) ?? -1, attemptId });
  return row ? toAttempt(row, runKey) : null;
}
