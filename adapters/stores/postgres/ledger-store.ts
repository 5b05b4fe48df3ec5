import type { LedgerTotals, ScopeKind } from '../../../contracts/budget.ts';
import { invariant, TollgateError } from '../../../contracts/failures.ts';
import type { AttemptId, RunKey } from '../../../contracts/ids.ts';
import type { TokenUsage } from '../../../contracts/model.ts';
import type { MoneyMove } from '../../../domain/budget/held-store-port.ts';
import { addDelta, applyLedgerEvent, type LedgerEvent, nanoUsd, reservationDelta } from '../../../domain/budget/ledger.ts';
import type { AttemptRecord, LedgerStore, NewAttempt, OutcomeReport, ReserveResult } from '../../../domain/store/port.ts';
import { auditOfMove, demandReason, isNews } from '../money-move.ts';
import { afterReservation, type Draw, drawOf, isMeter, meterScopesOf, rejectionOf, scopeIds, tokenDelta, windowsOf } from '../reservation.ts';
import { integer, integerOrNull, jsonOrNull, type Row, runScopeKey, text, toAttempt, tokenScopeKey, toQuota, toSkip, toTotals } from '../rows.ts';
import { ATTEMPT_COLUMNS, INSERT_ATTEMPT, INSERT_SKIP, MAX_SKIPS, QUOTA_MATCHES, RUN_ROW, SET_MOVE, SET_OUTCOME } from '../sql.ts';
import { attemptEnded, attemptMoved, candidatePassedOver, ledgerFact } from '../audit-facts.ts';
import { writeAudit } from './audit-store.ts';
import type { Database, Parameters, Session, Transaction } from './database.ts';
import { learnBound } from './held-store.ts';
import { lockWindows } from './quota-store.ts';
import { findRunRow, reopen, unknownRun } from './run-store.ts';

const SCOPE_COLUMNS = [
  ...['id', 'kind', 'scope_key', 'unit', 'set_aside'],
  ...['limit_nano_usd', 'settled_nano_usd', 'held_nano_usd', 'written_off_nano_usd', 'overrun_nano_usd'],
]
  .map((column) => `scopes.${column}`)
  .join(', ');
const OF_ATTEMPT = `run = ${RUN_ROW} AND attempt_id = :attemptId`;

/**
 * The scopes of a run and its parents, locked, with what else a reservation needs to know: the store's time, and the quotas
 * that may bind the run. Always locked in the order of their ids, and quotas' windows after them in the order of their
 * quotas, so that transactions wait for each other and never in a circle.
 */
const LOCK_SCOPES_OF_RUN = `
  WITH run AS (SELECT id, tenant, feature, ended_at_ms FROM runs WHERE agent_run_id = :agentRunId AND first_execution_run_id = :firstExecutionRunId),
    drawn AS (SELECT scope, kind FROM run_scopes WHERE run = (SELECT id FROM run) UNION ALL SELECT scope, kind FROM run_meters WHERE run = (SELECT id FROM run))
  SELECT ${SCOPE_COLUMNS}, (SELECT id FROM run) AS run, (SELECT kind FROM drawn WHERE scope = scopes.id) AS drawn_as,
    (SELECT tenant FROM run) AS tenant, (SELECT feature FROM run) AS feature, (SELECT ended_at_ms FROM run) AS ended_at_ms, :now AS now_ms,
    (SELECT json_agg(quotas)::text FROM quotas, runs WHERE runs.id = (SELECT id FROM run) AND ${QUOTA_MATCHES}) AS quotas_json
  FROM scopes WHERE id = ANY (ARRAY(SELECT scope FROM drawn))
  ORDER BY scopes.id FOR NO KEY UPDATE OF scopes`;
const LOCK_SCOPES_OF_ATTEMPT = `
  SELECT ${SCOPE_COLUMNS} FROM scopes
  WHERE id = ANY (ARRAY(SELECT scope FROM attempt_scopes WHERE attempt = :id UNION ALL SELECT unnest(:meters::bigint[])))
  ORDER BY scopes.quota NULLS FIRST, scopes.id FOR NO KEY UPDATE OF scopes`;
/** New totals for several scopes, given as arrays. */
const SET_TOTALS = `
  UPDATE scopes SET settled_nano_usd = new.settled, held_nano_usd = new.held, written_off_nano_usd = new.written_off,
    overrun_nano_usd = new.overrun, set_aside = coalesce(new.set_aside, scopes.set_aside)
  FROM unnest(:scopes::bigint[], :settled::bigint[], :held::bigint[], :writtenOff::bigint[], :overrun::bigint[], :asides::bigint[])
    AS new (scope, settled, held, written_off, overrun, set_aside)`;
/** The attempt, its scopes and their totals in one statement; nothing where the attempt is there already. */
const RESERVE = `
  WITH inserted AS (${INSERT_ATTEMPT} RETURNING ${ATTEMPT_COLUMNS}),
    drawn AS (INSERT INTO attempt_scopes (attempt, scope) SELECT inserted.id, scope FROM inserted, unnest(:linked::bigint[]) AS scope),
    moved AS (${SET_TOTALS}, inserted WHERE scopes.id = new.scope)
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
    getTokenLedger: (runKey) => totalsAt(db, tokenScopeKey(runKey)),
    recordSkip: async ({ runKey, ...skip }) => {
      await db.transaction(async (session) => {
        const run = await findRunRow(session, runKey);
        if (run === null) throw unknownRun(runKey);
        await session.all(INSERT_SKIP, { ...skip, run });
        await writeAudit(session, candidatePassedOver({ runKey, ...skip }));
      });
    },
    listSkips: async (runKey) =>
      (await db.all(`SELECT * FROM skips WHERE run = ${RUN_ROW} ORDER BY at_ms, step, ordinal LIMIT :limit`, { ...runKey, limit: MAX_SKIPS })).map((row) =>
        toSkip(row, runKey),
      ),
  };
}

/** The totals of a run's own scope. */
export async function ledgerOf(session: Session, runKey: RunKey): Promise<LedgerTotals | null> {
  return await totalsAt(session, runScopeKey(runKey));
}

async function totalsAt(session: Session, key: string): Promise<LedgerTotals | null> {
  const row = await session.get(`SELECT ${SCOPE_COLUMNS} FROM scopes WHERE kind = 'run' AND scope_key = :key`, { key });
  return row ? toTotals(row) : null;
}

async function reserve(session: Transaction, attempt: NewAttempt): Promise<ReserveResult> {
  const { runKey, attemptId, head, reservedNanoUsd, setAsideNanoUsd, ...columns } = attempt;
  const reserved = nanoUsd(reservedNanoUsd);
  const setAside = nanoUsd(setAsideNanoUsd);
  const scopes = await session.all(LOCK_SCOPES_OF_RUN, { ...runKey });
  const own = scopes.find((scope) => text(scope, 'drawn_as') === 'run' && text(scope, 'unit') === 'nanoUsd');
  if (!own) throw unknownRun(runKey);

  const draws = [...scopes.map((row) => drawOf(row, text(row, 'drawn_as') as ScopeKind, attempt)), ...(await drawsOfQuotas(session, own, attempt))];
  const rejection = rejectionOf(draws, attempt, integer(own, 'now_ms'));
  if (rejection) {
    const existing = await find(session, runKey, attemptId);
    return existing ? { type: 'exists', attempt: existing } : rejection;
  }
  const linked = draws.filter((draw) => !isMeter(draw)).map(({ row }) => integer(row, 'id'));
  const after = draws.map((draw) => ({ scope: integer(draw.row, 'id'), ...afterReservation(draw) }));
  const parameters = { ...columns, run: integer(own, 'run'), attemptId, head: JSON.stringify(head), reserved, setAside, linked };
  const row = { ...parameters, meterScopes: meterScopesOf(draws), ...asArrays(after) };
  // A run that ends after it was looked at ends after this reservation.
  const inserted = await (integerOrNull(own, 'ended_at_ms') === null ? session.commitWith(RESERVE, row) : reserveAgain(session, runKey, row));
  if (inserted) return { type: 'reserved', attempt: toAttempt(inserted, runKey), ledger: addDelta(toTotals(own), reservationDelta(reserved)) };
  return { type: 'exists', attempt: await known(session, runKey, attemptId) };
}

/** A run that a reset took back goes on, and its audit says so. */
async function reserveAgain(session: Session, runKey: RunKey, row: Parameters): Promise<Row | undefined> {
  const inserted = await session.get(RESERVE, row);
  if (inserted) await reopen(session, runKey);
  return inserted;
}

/** One way to the server more, where there are quotas. */
async function drawsOfQuotas(session: Session, own: Row, attempt: NewAttempt): Promise<Draw[]> {
  const quotas = jsonOrNull<readonly Row[]>(own, 'quotas_json');
  if (!quotas) return [];
  const windows = windowsOf(quotas.map(toQuota), text(own, 'tenant'), text(own, 'feature'), integer(own, 'now_ms'));
  if (windows.length === 0) return [];
  const rows = await lockWindows(session, windows, SCOPE_COLUMNS);
  return windows.map((window) => drawOf(rows.find((row) => text(row, 'scope_key') === window.scopeKey) ?? {}, window.kind, attempt, window));
}

/** Money first, as in the other store: whoever watches the outcome being written sees what it cost. */
async function reportOutcome(session: Transaction, runKey: RunKey, attemptId: AttemptId, report: OutcomeReport): Promise<AttemptRecord> {
  const { attempt, id, meters } = await lock(session, runKey, attemptId);
  invariant(report.outcome.type !== 'reply' || attempt.reply || report.reply, `attempt ${attemptId} has a reply where its outcome is one`);
  if (report.money) await applyEvent(session, { attempt, id, meters }, report.money, report.usage);
  const written = await session.get(`UPDATE attempts SET ${SET_OUTCOME} WHERE id = :id RETURNING ${ATTEMPT_COLUMNS}`, {
    id,
    outcome: JSON.stringify(report.outcome),
    reply: report.reply ? JSON.stringify(report.reply) : null,
    usage: report.usage ? JSON.stringify(report.usage) : null,
    providerRequestId: report.providerRequestId ?? null,
  });
  const after = toAttempt(written ?? {}, runKey);
  // The last statement takes the commit with it.
  if (isNews(attempt, after)) await writeAudit({ ...session, get: session.commitWith }, attemptEnded(after, report));
  return after;
}

async function move(session: Session, runKey: RunKey, attemptId: AttemptId, event: LedgerEvent, by: MoneyMove | undefined): Promise<AttemptRecord> {
  demandReason(event, by);
  const locked = await lock(session, runKey, attemptId);
  const moved = await applyEvent(session, locked, event, by?.usage, by);
  if (moved) await writeAudit(session, by ? auditOfMove(runKey, attemptId, event, by) : attemptMoved(moved));
  return moved ?? locked.attempt;
}

/**
 * Moves one attempt's money, and with it every scope that it drew on. What contradicts the journal is kept in the audit.
 * Answers the row as it then holds; null where nothing moved.
 */
async function applyEvent(
  session: Session,
  { attempt, id, meters }: LockedAttempt,
  event: LedgerEvent,
  usage?: TokenUsage,
  by?: MoneyMove,
): Promise<AttemptRecord | null> {
  const { runKey, attemptId } = attempt;
  const transition = applyLedgerEvent(attempt.money, event);
  const audit = (type: 'ledger.conflict' | 'ledger.overrun', data: object) => writeAudit(session, ledgerFact(type, runKey, attemptId, data));
  if (transition.type === 'unchanged') {
    if (transition.conflict) await audit('ledger.conflict', { event, conflict: transition.conflict });
    return null;
  }
  const { status, settledNanoUsd } = transition.entry;
  const { overrunNanoUsd } = transition.delta;
  const scopes = await session.all(LOCK_SCOPES_OF_ATTEMPT, { id, meters });
  const tokens = tokenDelta(attempt, event, usage);
  const after = scopes.flatMap((scope) => {
    const delta = text(scope, 'unit') === 'tokens' ? tokens : transition.delta;
    return delta ? [{ scope: integer(scope, 'id'), totals: addDelta(toTotals(scope), delta), setAside: null }] : [];
  });
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
      ...asArrays(after),
    },
  );
  if (overrunNanoUsd > 0) {
    await learnBound(session, attempt, settledNanoUsd ?? 0);
    await audit('ledger.overrun', { overrunNanoUsd });
  }
  return toAttempt(row ?? {}, runKey);
}

/** New totals as SET_TOTALS takes them. */
function asArrays(after: readonly { readonly scope: number; readonly totals: LedgerTotals; readonly setAside: number | null }[]) {
  return {
    scopes: after.map(({ scope }) => scope),
    settled: after.map(({ totals }) => totals.settledNanoUsd),
    held: after.map(({ totals }) => totals.heldNanoUsd),
    writtenOff: after.map(({ totals }) => totals.writtenOffNanoUsd),
    overrun: after.map(({ totals }) => totals.overrunNanoUsd),
    asides: after.map(({ setAside }) => setAside),
  };
}

interface LockedAttempt {
  readonly attempt: AttemptRecord;
  readonly id: number;
  /** Windows and scopes in tokens that it drew on. */
  readonly meters: readonly number[];
}

/** Before its scopes, which it leads to; nobody who holds scopes waits for an attempt. */
async function lock(session: Session, runKey: RunKey, attemptId: AttemptId): Promise<LockedAttempt> {
  const row = await session.get(`SELECT ${ATTEMPT_COLUMNS} FROM attempts WHERE ${OF_ATTEMPT} FOR NO KEY UPDATE`, { ...runKey, attemptId });
  if (!row) throw unknownAttempt(runKey, attemptId);
  return { attempt: toAttempt(row, runKey), id: integer(row, 'id'), meters: scopeIds(row) };
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
