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
import { ATTEMPT_COLUMNS, INSERT_ATTEMPT, RUN_ROW, SET_MOVE, SET_OUTCOME } from '../sql.ts';
import { writeAudit } from './audit-store.ts';
import type { Database, Session, Transaction } from './database.ts';
import { learnBound } from './held-store.ts';
import { findRunRow, unknownRun } from './run-store.ts';

const SCOPE_COLUMNS = ['id', 'kind', 'scope_key', 'limit_nano_usd', 'settled_nano_usd', 'held_nano_usd', 'written_off_nano_usd', 'overrun_nano_usd']
  .map((column) => `scopes.${column}`)
  .join(', ');
const OF_ATTEMPT = `run = ${RUN_ROW} AND attempt_id = :attemptId`;

/**
 * Every scope that an attempt of the run draws on, locked. Tenant and feature bind where they have a limit. Always locked
 * in the order of their ids, so that transactions wait for each other and never in a circle.
 */
const LOCK_SCOPES_OF_RUN = `
  WITH run AS (SELECT id, tenant, feature FROM runs WHERE agent_run_id = :agentRunId AND first_execution_run_id = :firstExecutionRunId)
  SELECT ${SCOPE_COLUMNS}, (SELECT id FROM run) AS run,
    coalesce((SELECT kind FROM run_scopes WHERE run = (SELECT id FROM run) AND scope = scopes.id), scopes.kind) AS drawn_as
  FROM scopes WHERE id = ANY (ARRAY(
    SELECT scope FROM run_scopes WHERE run = (SELECT id FROM run)
    UNION ALL SELECT own.id FROM run JOIN scopes own ON own.kind = 'tenant' AND own.scope_key = run.tenant
    UNION ALL SELECT own.id FROM run JOIN scopes own ON own.kind = 'feature' AND own.scope_key = run.tenant || '/' || run.feature))
  ORDER BY scopes.id FOR NO KEY UPDATE OF scopes`;
const LOCK_SCOPES_OF_ATTEMPT = `
  SELECT ${SCOPE_COLUMNS} FROM attempt_scopes JOIN scopes ON scopes.id = attempt_scopes.scope
  WHERE attempt_scopes.attempt = :id ORDER BY scopes.id FOR NO KEY UPDATE OF scopes`;
/** New totals for several scopes, given as arrays. */
const SET_TOTALS = `
  UPDATE scopes SET settled_nano_usd = new.settled, held_nano_usd = new.held, written_off_nano_usd = new.written_off, overrun_nano_usd = new.overrun
  FROM unnest(:scopes::bigint[], :settled::bigint[], :held::bigint[], :writtenOff::bigint[], :overrun::bigint[])
    AS new (scope, settled, held, written_off, overrun)`;
/** The attempt, its scopes and their totals in one statement; nothing where the attempt is there already. */
const RESERVE = `
  WITH inserted AS (${INSERT_ATTEMPT} RETURNING ${ATTEMPT_COLUMNS}),
    drawn AS (INSERT INTO attempt_scopes (attempt, scope) SELECT inserted.id, scope FROM inserted, unnest(:scopes::bigint[]) AS scope),
    moved AS (${SET_TOTALS}, inserted WHERE scopes.id = new.scope),
    reopened AS (UPDATE runs SET status = 'running', end_json = NULL, ended_at_ms = NULL FROM inserted WHERE runs.id = :run AND runs.ended_at_ms IS NOT NULL)
  SELECT * FROM inserted`;

export function createLedgerStore(db: Database): LedgerStore {
  return {
    reserveAttempt: (attempt) => db.transaction((session) => reserve(session, attempt)),
    getAttempt: (runKey, attemptId) => find(db, runKey, attemptId),
    listAttempts: async (runKey) =>
      (await db.all(`SELECT ${ATTEMPT_COLUMNS} FROM attempts WHERE run = ${RUN_ROW} ORDER BY id`, { ...runKey })).map((row) => toAttempt(row, runKey)),
    findReply: async (runKey, step, requestDigest) => {
      const sql = `SELECT ${ATTEMPT_COLUMNS} FROM attempts
        WHERE run = ${RUN_ROW} AND step = :step AND request_digest = :requestDigest AND outcome_json = '{"type":"reply"}' ORDER BY id LIMIT 1`;
      const row = await db.get(sql, { ...runKey, step, requestDigest });
      if (!row && (await findRunRow(db, runKey)) === null) throw unknownRun(runKey);
      return row ? toAttempt(row, runKey) : null;
    },
    setResponseId: async (runKey, attemptId, responseId) => {
      const sql = `UPDATE attempts SET response_id = coalesce(response_id, :responseId) WHERE ${OF_ATTEMPT} RETURNING id`;
      if (!(await db.get(sql, { ...runKey, attemptId, responseId }))) throw unknownAttempt(runKey, attemptId);
    },
    setProviderRequestId: async (runKey, attemptId, providerRequestId) => {
      const sql = `UPDATE attempts SET provider_request_id = coalesce(provider_request_id, :providerRequestId) WHERE ${OF_ATTEMPT} RETURNING id`;
      if (!(await db.get(sql, { ...runKey, attemptId, providerRequestId }))) throw unknownAttempt(runKey, attemptId);
    },
    reportAttempt: (runKey, attemptId, report) => db.transaction((session) => reportOutcome(session, runKey, attemptId, report)),
    moveMoney: (runKey, attemptId, event, by) => db.transaction((session) => move(session, runKey, attemptId, event, by)),
    getLedger: (runKey) => ledgerOf(db, runKey),
  };
}

/** The totals of a run's own scope. */
export async function ledgerOf(session: Session, runKey: RunKey): Promise<LedgerTotals | null> {
  const row = await session.get(`SELECT ${SCOPE_COLUMNS} FROM scopes WHERE kind = 'run' AND scope_key = :key`, { key: runScopeKey(runKey) });
  return row ? toTotals(row) : null;
}

async function reserve(session: Transaction, attempt: NewAttempt): Promise<ReserveResult> {
  const { runKey, attemptId, head, reservedNanoUsd, setAsideNanoUsd, ...columns } = attempt;
  const reserved = nanoUsd(reservedNanoUsd);
  const setAside = nanoUsd(setAsideNanoUsd);
  const scopes = await session.all(LOCK_SCOPES_OF_RUN, { ...runKey });
  const own = scopes.find((scope) => text(scope, 'drawn_as') === 'run');
  if (!own) throw unknownRun(runKey);

  const full = byNearness(scopes).find((scope) => !fits(toTotals(scope), reserved, scope === own ? setAside : ZERO_NANO_USD));
  if (full) {
    const existing = await find(session, runKey, attemptId);
    if (existing) return { type: 'exists', attempt: existing };
    const neededNanoUsd = (reserved + (full === own ? setAside : 0)) as NanoUsd;
    return { type: 'rejected', scope: text(full, 'drawn_as') as ScopeKind, scopeId: text(full, 'scope_key'), totals: toTotals(full), neededNanoUsd };
  }
  const delta = reservationDelta(reserved);
  const parameters = { ...columns, run: integer(own, 'run'), attemptId, head: JSON.stringify(head), reserved, setAside };
  const inserted = await session.commitWith(RESERVE, { ...parameters, ...totalsAfter(scopes, delta) });
  if (inserted) return { type: 'reserved', attempt: toAttempt(inserted, runKey), ledger: addDelta(toTotals(own), delta) };
  return { type: 'exists', attempt: await known(session, runKey, attemptId) };
}

/** In the order in which a refusal names them: the run, its parents, tenant, feature. */
function byNearness(scopes: readonly Row[]): Row[] {
  const order: readonly ScopeKind[] = ['run', 'parent', 'tenant', 'feature'];
  return scopes.toSorted((a, b) => order.indexOf(text(a, 'drawn_as') as ScopeKind) - order.indexOf(text(b, 'drawn_as') as ScopeKind));
}

async function reportOutcome(session: Session, runKey: RunKey, attemptId: AttemptId, report: OutcomeReport): Promise<AttemptRecord> {
  const { attempt, id } = await lock(session, runKey, attemptId);
  invariant(report.outcome.type !== 'reply' || attempt.reply || report.reply, `attempt ${attemptId} has a reply where its outcome is one`);
  const [written] = await session.all(`UPDATE attempts SET ${SET_OUTCOME} WHERE id = :id RETURNING ${ATTEMPT_COLUMNS}`, {
    id,
    outcome: JSON.stringify(report.outcome),
    reply: report.reply ? JSON.stringify(report.reply) : null,
    usage: report.usage ? JSON.stringify(report.usage) : null,
    providerRequestId: report.providerRequestId ?? null,
  });
  const money = report.money ? await applyEvent(session, attempt, id, report.money) : null;
  return money ?? toAttempt(written ?? {}, runKey);
}

async function move(session: Session, runKey: RunKey, attemptId: AttemptId, event: LedgerEvent, by: MoneyMove | undefined): Promise<AttemptRecord> {
  demandReason(event, by);
  const { attempt, id } = await lock(session, runKey, attemptId);
  const moved = await applyEvent(session, attempt, id, event, by);
  if (moved && by) await writeAudit(session, auditOfMove(runKey, attemptId, event, by));
  return moved ?? attempt;
}

/**
 * Moves one attempt's money, and with it every scope that it drew on. What contradicts the journal is kept in the audit.
 * Answers the row as it then holds; null where nothing moved.
 */
async function applyEvent(session: Session, attempt: AttemptRecord, id: number, event: LedgerEvent, by?: MoneyMove): Promise<AttemptRecord | null> {
  const { runKey, attemptId } = attempt;
  const transition = applyLedgerEvent(attempt.money, event);
  const audit = (type: string, data: object) => writeAudit(session, { type, runKey, actor: 'tollgate', data: { attemptId, ...data } });
  if (transition.type === 'unchanged') {
    if (transition.conflict) await audit('ledger.conflict', { event, conflict: transition.conflict });
    return null;
  }
  const { status, settledNanoUsd } = transition.entry;
  const { overrunNanoUsd } = transition.delta;
  const scopes = await session.all(LOCK_SCOPES_OF_ATTEMPT, { id });
  const row = await session.get(
    `WITH moved AS (${SET_TOTALS} WHERE scopes.id = new.scope)
     UPDATE attempts SET money_status = :status, settled_nano_usd = :settledNow, overrun_nano_usd = :overrunNow, ${SET_MOVE}
     WHERE id = :id RETURNING ${ATTEMPT_COLUMNS}`,
    {
      id,
      status,
      settledNow: settledNanoUsd,
      overrunNow: overrunNanoUsd,
      reason: event.type === 'writeOff' ? by?.reason : null,
      usage: by?.usage ? JSON.stringify(by.usage) : null,
      ...totalsAfter(scopes, transition.delta),
    },
  );
  if (overrunNanoUsd > 0) {
    await learnBound(session, attempt, settledNanoUsd ?? 0);
    await audit('ledger.overrun', { overrunNanoUsd });
  }
  return toAttempt(row ?? {}, runKey);
}

/** The locked scopes' totals after `delta`, as SET_TOTALS takes them. */
function totalsAfter(scopes: readonly Row[], delta: LedgerDelta) {
  const totals = scopes.map((scope) => addDelta(toTotals(scope), delta));
  return {
    scopes: scopes.map((scope) => integer(scope, 'id')),
    settled: totals.map(({ settledNanoUsd }) => settledNanoUsd),
    held: totals.map(({ heldNanoUsd }) => heldNanoUsd),
    writtenOff: totals.map(({ writtenOffNanoUsd }) => writtenOffNanoUsd),
    overrun: totals.map(({ overrunNanoUsd }) => overrunNanoUsd),
  };
}

/** Before its scopes, which it leads to; nobody who holds scopes waits for an attempt. */
async function lock(session: Session, runKey: RunKey, attemptId: AttemptId): Promise<{ readonly attempt: AttemptRecord; readonly id: number }> {
  const row = await session.get(`SELECT ${ATTEMPT_COLUMNS} FROM attempts WHERE ${OF_ATTEMPT} FOR NO KEY UPDATE`, { ...runKey, attemptId });
  if (!row) throw unknownAttempt(runKey, attemptId);
  return { attempt: toAttempt(row, runKey), id: integer(row, 'id') };
}

async function known(session: Session, runKey: RunKey, attemptId: AttemptId): Promise<AttemptRecord> {
  const attempt = await find(session, runKey, attemptId);
  if (!attempt) throw unknownAttempt(runKey, attemptId);
  return attempt;
}

async function find(session: Session, runKey: RunKey, attemptId: AttemptId): Promise<AttemptRecord | null> {
  const row = await session.get(`SELECT ${ATTEMPT_COLUMNS} FROM attempts WHERE ${OF_ATTEMPT}`, { ...runKey, attemptId });
  return row ? toAttempt(row, runKey) : null;
}

function unknownAttempt({ agentRunId }: RunKey, attemptId: AttemptId): TollgateError {
  return new TollgateError('journalMissing', `The store has no attempt ${attemptId} of run ${agentRunId}.`);
}
