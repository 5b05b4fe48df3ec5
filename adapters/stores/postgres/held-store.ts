import type { AttemptId, RunKey } from '../../../contracts/ids.ts';
import { factorLearnt, PLAIN_PER_MILLE } from '../../../domain/budget/bound-factor.ts';
import type { HeldFilter, HeldStore, MoneyMove } from '../../../domain/budget/held-store-port.ts';
import type { AttemptRecord } from '../../../domain/store/port.ts';
import { heldCondition } from '../held-filter.ts';
import { integer, integerOrNull, listLimit, toBoundFactor, toHeld, toOpenMoney } from '../rows.ts';
import { INSERT_BOUND, PUT_LOOKUP, RUN_ROW, SELECT_BOUND, SELECT_BOUND_AT, SELECT_BOUNDS, SELECT_HELD, selectOpenMoney } from '../sql.ts';
import { writeAudit } from './audit-store.ts';
import type { Database, Session } from './database.ts';

export function createHeldStore(db: Database): HeldStore {
  return {
    listHeld: (filter) => list(db, filter),
    findAttempt: async (attemptId) => {
      const row = await db.get(`${SELECT_HELD} WHERE attempts.attempt_id = :attemptId ORDER BY attempts.id DESC LIMIT 1`, { attemptId });
      return row ? toHeld(row) : null;
    },
    noteLookup: (runKey, attemptId, answer, nextAtMs) => db.transaction((session) => note(session, runKey, attemptId, answer, nextAtMs)),
    openMoney: async ({ tenant } = {}) => toOpenMoney((await db.get(selectOpenMoney(tenant !== undefined), tenant === undefined ? {} : { tenant })) ?? {}),
    boundPerMille: (model, endpoint) => perMilleOf(db, model, endpoint),
    listBoundFactors: async (limit) => (await db.all(SELECT_BOUNDS, { limit: listLimit(limit) })).map(toBoundFactor),
    resetBoundFactor: (model, endpoint, by) => db.transaction((session) => reset(session, model, endpoint, by)),
  };
}

async function list(session: Session, filter: HeldFilter) {
  const { where, parameters } = heldCondition(filter);
  return (await session.all(`${SELECT_HELD} ${where} ORDER BY attempts.id LIMIT :limit`, { ...parameters, limit: listLimit(filter.limit) })).map(toHeld);
}

async function note(session: Session, runKey: RunKey, attemptId: AttemptId, answer: string, nextAtMs: (looks: number, nowMs: number) => number): Promise<void> {
  const found = await session.get(`SELECT id FROM attempts WHERE run = ${RUN_ROW} AND attempt_id = :attemptId FOR NO KEY UPDATE`, { ...runKey, attemptId });
  if (!found) return;
  const attempt = integer(found, 'id');
  const earlier = await session.get('SELECT looks FROM attempt_lookups WHERE attempt = :attempt', { attempt });
  const looks = (integerOrNull(earlier ?? {}, 'looks') ?? 0) + 1;
  const lookedAt = await session.nowMs();
  await session.all(PUT_LOOKUP, { attempt, lookedAt, looks, nextAt: nextAtMs(looks, lookedAt), answer });
}

async function perMilleOf(session: Session, model: string, endpoint: string): Promise<number> {
  return integer((await session.get(SELECT_BOUND, { model, endpoint })) ?? {}, 'per_mille');
}

/** Raises the bound of the attempt's model by what its overrun shows, within the transaction that books it. */
export async function learnBound(session: Session, { model, endpoint, money, reservedAtMs }: AttemptRecord, settledNanoUsd: number): Promise<void> {
  const reservedWith = integer((await session.get(SELECT_BOUND_AT, { model, endpoint, at: reservedAtMs })) ?? {}, 'per_mille');
  const learnt = factorLearnt(reservedWith, money.reservedNanoUsd, settledNanoUsd);
  if (learnt !== null && learnt > (await perMilleOf(session, model, endpoint))) await session.all(INSERT_BOUND, { model, endpoint, perMille: learnt });
}

async function reset(session: Session, model: string, endpoint: string, { actor, reason = '' }: MoneyMove): Promise<boolean> {
  const perMille = await perMilleOf(session, model, endpoint);
  if (perMille === PLAIN_PER_MILLE) return false;
  await session.all(INSERT_BOUND, { model, endpoint, perMille: PLAIN_PER_MILLE });
  await writeAudit(session, { type: 'bound.reset', runKey: null, actor, data: { model, endpoint, perMille, reason } });
  return true;
}
