import type { LedgerTotals, ScopeKind } from '../../../contracts/budget.ts';
import { invariant, TollgateError } from '../../../contracts/failures.ts';
import type { AttemptId, RunKey } from '../../../contracts/ids.ts';
import type { TokenUsage } from '../../../contracts/model.ts';
import type { MoneyMove } from '../../../domain/budget/held-store-port.ts';
import { addDelta, applyLedgerEvent, type LedgerEvent, nanoUsd } from '../../../domain/budget/ledger.ts';
import type { AttemptRecord, LedgerStore, NewAttempt, OutcomeReport, ReserveResult } from '../../../domain/store/port.ts';
import { auditOfMove, demandReason, isNews } from '../money-move.ts';
import { afterReservation, type Draw, drawOf, isMeter, meterScopesOf, rejectionOf, scopeIds, tokenDelta } from '../reservation.ts';
import { integer, type Row, runScopeKey, text, toAttempt, tokenScopeKey, toSkip, toTotals } from '../rows.ts';
import { INSERT_ATTEMPT, INSERT_SKIP, MAX_SKIPS, RUN_ROW, SET_MOVE, SET_OUTCOME } from '../sql.ts';
import { attemptEnded, attemptMoved, candidatePassedOver, ledgerFact, runReopened } from '../audit-facts.ts';
import { writeAudit } from './audit-store.ts';
import type { Connection } from './connection.ts';
import { learnBound } from './held-store.ts';
import { windowRows } from './quota-store.ts';
import { findRunRow, runRow } from './run-store.ts';

/** The scopes of a run and its parents: money first, then tokens where they have a limit in tokens. */
const SCOPES_OF_RUN = `
  SELECT scopes.*, run_scopes.kind AS drawn_as FROM run_scopes JOIN scopes ON scopes.id = run_scopes.scope WHERE run_scopes.run = :run
  UNION ALL
  SELECT scopes.*, run_meters.kind AS drawn_as FROM run_meters JOIN scopes ON scopes.id = run_meters.scope WHERE run_meters.run = :run`;

const SELECT_ATTEMPTS = `SELECT * FROM attempts WHERE run = ${RUN_ROW}`;

/** A run that a reset took back goes on. */
const REOPEN_RUN = "UPDATE runs SET status = 'running', end_json = NULL, ended_at_ms = NULL WHERE id = :run AND ended_at_ms IS NOT NULL";

export function createLedgerStore(db: Connection): LedgerStore {
  return {
    reserveAttempt: async (attempt) => db.write(() => reserve(db, attempt)),
    getAttempt: async (runKey, attemptId) => db.readOne(() => find(db, runKey, attemptId)?.attempt ?? null),
    listAttempts: async (runKey) => db.readOne(() => db.all(`${SELECT_ATTEMPTS} ORDER BY id`, { ...runKey }).map((row) => toAttempt(row, runKey))),
    findReply: async (runKey, step, requestDigest) => findReply(db, runKey, step, requestDigest),
    setResponseId: async (runKey, attemptId, responseId) => {
      await db.write(() => {
        const { id } = known(db, runKey, attemptId);
        db.run('UPDATE attempts SET response_id = coalesce(response_id, :responseId) WHERE id = :id', { id, responseId });
      });
    },
    setProviderRequestId: async (runKey, attemptId, providerRequestId) => {
      await db.write(() => {
        const { id } = known(db, runKey, attemptId);
        db.run('UPDATE attempts SET provider_request_id = coalesce(provider_request_id, :providerRequestId) WHERE id = :id', { id, providerRequestId });
      });
    },
    reportAttempt: async (runKey, attemptId, report) => db.write(() => reportOutcome(db, runKey, attemptId, report)),
    moveMoney: async (runKey, attemptId, event, by) => db.write(() => move(db, runKey, attemptId, event, by)),
    getLedger: async (runKey) => db.readOne(() => ledgerOf(db, runKey)),
    getTokenLedger: async (runKey) => db.readOne(() => totalsAt(db, tokenScopeKey(runKey))),
    recordSkip: async ({ runKey, ...skip }) => {
      await db.write(() => {
        db.run(INSERT_SKIP, { ...skip, run: runRow(db, runKey), now: db.now() });
        writeAudit(db, candidatePassedOver({ runKey, ...skip }));
      });
    },
    listSkips: async (runKey) =>
      db.read(() =>
        db
          .all('SELECT * FROM skips WHERE run = :run ORDER BY at_ms, step, ordinal LIMIT :limit', {
            run: findRunRow(db, runKey) ?? -1,
            limit: MAX_SKIPS,
          })
          .map((row) => toSkip(row, runKey)),
      ),
  };
}

/** The totals of a run's own scope. */
export function ledgerOf(db: Connection, runKey: RunKey): LedgerTotals | null {
  return totalsAt(db, runScopeKey(runKey));
}

function totalsAt(db: Connection, key: string): LedgerTotals | null {
  const row = db.get("SELECT * FROM scopes WHERE kind = 'run' AND scope_key = :key", { key });
  return row ? toTotals(row) : null;
}

function reserve(db: Connection, attempt: NewAttempt): ReserveResult {
  const { runKey, attemptId } = attempt;
  const reservedNanoUsd = nanoUsd(attempt.reservedNanoUsd);
  const setAsideNanoUsd = nanoUsd(attempt.setAsideNanoUsd);
  const run = runRow(db, runKey);
  const existing = find(db, runKey, attemptId);
  if (existing) return { type: 'exists', attempt: existing.attempt };

  const draws = drawsOf(db, run, attempt);
  const rejection = rejectionOf(draws, attempt, db.now());
  if (rejection) return rejection;
  const { head, requestDigest, dispatchDeadlineMs, step, ordinal, mode, model, provider, endpoint } = attempt;
  const inserted = db.get(`${INSERT_ATTEMPT} RETURNING *`, {
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
    reservedTokens: attempt.reservedTokens,
    setAsideTokens: attempt.setAsideTokens,
    meterScopes: meterScopesOf(draws),
    dispatchDeadlineMs,
    now: db.now(),
  });
  invariant(inserted, `attempt ${attemptId} is new under the write lock`);
  if (db.run(REOPEN_RUN, { run }) > 0) writeAudit(db, runReopened(runKey));
  const id = integer(inserted, 'id');
  for (const draw of draws) {
    const scope = integer(draw.row, 'id');
    if (!isMeter(draw)) db.run('INSERT INTO attempt_scopes (attempt, scope) VALUES (:id, :scope)', { id, scope });
    const { totals, setAside } = afterReservation(draw);
    writeTotals(db, scope, totals);
    if (setAside !== null && setAside !== draw.row.set_aside) db.run('UPDATE scopes SET set_aside = :setAside WHERE id = :scope', { scope, setAside });
  }
  const own = draws.find(({ kind, unit }) => kind === 'run' && unit === 'nanoUsd');
  invariant(own, `run ${runKey.agentRunId} has a budget scope`);
  return { type: 'reserved', attempt: toAttempt(inserted, runKey), ledger: afterReservation(own).totals };
}

function drawsOf(db: Connection, run: number, attempt: NewAttempt): Draw[] {
  const own = db.all(SCOPES_OF_RUN, { run }).map((row) => drawOf(row, text(row, 'drawn_as') as ScopeKind, attempt));
  return [...own, ...windowRows(db, run).map(({ row, window }) => drawOf(row, window.kind, attempt, window))];
}

function reportOutcome(db: Connection, runKey: RunKey, attemptId: AttemptId, report: OutcomeReport): AttemptRecord {
  const found = known(db, runKey, attemptId);
  const { attempt: before, id } = found;
  invariant(report.outcome.type !== 'reply' || before.reply || report.reply, `attempt ${attemptId} has a reply where its outcome is one`);
  if (report.money) applyEvent(db, found, report.money, report.usage);
  const row = db.get(`UPDATE attempts SET ${SET_OUTCOME} WHERE id = :id RETURNING *`, {
    id,
    outcome: JSON.stringify(report.outcome),
    reply: report.reply ? JSON.stringify(report.reply) : null,
    usage: report.usage ? JSON.stringify(report.usage) : null,
    providerRequestId: report.providerRequestId ?? null,
    now: db.now(),
  });
  const after = toAttempt(row ?? {}, runKey);
  if (isNews(before, after)) writeAudit(db, attemptEnded(after, report));
  return after;
}

function move(db: Connection, runKey: RunKey, attemptId: AttemptId, event: LedgerEvent, by: MoneyMove | undefined): AttemptRecord {
  demandReason(event, by);
  const found = known(db, runKey, attemptId);
  if (!applyEvent(db, found, event, by?.usage)) return found.attempt;
  const row = db.get(`UPDATE attempts SET ${SET_MOVE} WHERE id = :id RETURNING *`, {
    id: found.id,
    reason: event.type === 'writeOff' ? (by?.reason ?? null) : null,
    usage: by?.usage ? JSON.stringify(by.usage) : null,
  });
  const after = toAttempt(row ?? {}, runKey);
  writeAudit(db, by ? auditOfMove(runKey, attemptId, event, by) : attemptMoved(after));
  return after;
}

/** Moves one attempt's money, and with it every scope that it drew on. What contradicts the journal is kept in the audit. Says whether it moved. */
function applyEvent(db: Connection, { attempt, id, meters }: FoundAttempt, event: LedgerEvent, usage?: TokenUsage): boolean {
  const { runKey, attemptId } = attempt;
  const transition = applyLedgerEvent(attempt.money, event);
  if (transition.type === 'unchanged') {
    if (transition.conflict) writeAudit(db, ledgerFact('ledger.conflict', runKey, attemptId, { event, conflict: transition.conflict }));
    return false;
  }
  const { status, settledNanoUsd } = transition.entry;
  const { overrunNanoUsd } = transition.delta;
  db.run('UPDATE attempts SET money_status = :status, settled_nano_usd = :settled, overrun_nano_usd = :overrun WHERE id = :id', {
    id,
    status,
    settled: settledNanoUsd,
    overrun: overrunNanoUsd,
  });
  const tokens = tokenDelta(attempt, event, usage);
  for (const scope of scopesOfAttempt(db, id, meters)) {
    const delta = scope.unit === 'tokens' ? tokens : transition.delta;
    if (delta) writeTotals(db, integer(scope, 'id'), addDelta(toTotals(scope), delta));
  }
  if (overrunNanoUsd > 0) {
    learnBound(db, attempt, settledNanoUsd ?? 0);
    writeAudit(db, ledgerFact('ledger.overrun', runKey, attemptId, { overrunNanoUsd }));
  }
  return true;
}

/** Those that its reservation drew on, whatever the limits are now. A window that is over for long may be gone. */
function scopesOfAttempt(db: Connection, id: number, meters: readonly number[]): Row[] {
  const own = db.all('SELECT scopes.* FROM attempt_scopes JOIN scopes ON scopes.id = attempt_scopes.scope WHERE attempt = :id', { id });
  return [...own, ...meters.flatMap((scope) => db.all('SELECT * FROM scopes WHERE id = :scope', { scope }))];
}

function writeTotals(db: Connection, id: number, totals: LedgerTotals): void {
  db.run(
    `UPDATE scopes SET settled_nano_usd = :settled, held_nano_usd = :held, written_off_nano_usd = :writtenOff, overrun_nano_usd = :overrun WHERE id = :id`,
    {
      id,
      settled: totals.settledNanoUsd,
      held: totals.heldNanoUsd,
      writtenOff: totals.writtenOffNanoUsd,
      overrun: totals.overrunNanoUsd,
    },
  );
}

function findReply(db: Connection, runKey: RunKey, step: number, requestDigest: string): AttemptRecord | null {
  const sql = `${SELECT_ATTEMPTS} AND step = :step AND request_digest = :requestDigest AND outcome_json = '{"type":"reply"}' ORDER BY id LIMIT 1`;
  const row = db.readOne(() => db.get(sql, { ...runKey, step, requestDigest }));
  if (!row) db.readOne(() => runRow(db, runKey));
  return row ? toAttempt(row, runKey) : null;
}

interface FoundAttempt {
  readonly attempt: AttemptRecord;
  readonly id: number;
  /** Windows and scopes in tokens that it drew on. */
  readonly meters: readonly number[];
}

function known(db: Connection, runKey: RunKey, attemptId: AttemptId): FoundAttempt {
  const found = find(db, runKey, attemptId);
  if (!found) throw new TollgateError('journalMissing', `The store has no attempt ${attemptId} of run ${runKey.agentRunId}.`);
  return found;
}

function find(db: Connection, runKey: RunKey, attemptId: AttemptId): FoundAttempt | null {
  const row = db.get(`${SELECT_ATTEMPTS} AND attempt_id = :attemptId`, { ...runKey, attemptId });
  return row ? { attempt: toAttempt(row, runKey), id: integer(row, 'id'), meters: scopeIds(row) } : null;
}
