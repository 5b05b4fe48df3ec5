import type { AttemptId, RunKey } from '../../../contracts/ids.ts';
import { factorLearnt, PLAIN_PER_MILLE } from '../../../domain/budget/bound-factor.ts';
import type { HeldFilter, HeldStore, MoneyMove } from '../../../domain/budget/held-store-port.ts';
import type { AttemptRecord } from '../../../domain/store/port.ts';
import { heldCondition } from '../held-filter.ts';
import { integer, integerOrNull, listLimit, toBoundFactor, toHeld, toOpenMoney } from '../rows.ts';
import { INSERT_BOUND, PUT_LOOKUP, SELECT_BOUND, SELECT_BOUND_AT, SELECT_BOUNDS, SELECT_HELD, selectOpenMoney } from '../sql.ts';
import { writeAudit } from './audit-store.ts';
import type { Connection } from './connection.ts';
import { runRow } from './run-store.ts';

export function createHeldStore(db: Connection): HeldStore {
  return {
    listHeld: async (filter) => db.read(() => list(db, filter)),
    findAttempt: async (attemptId) =>
      db.read(() => {
        const row = db.get(`${SELECT_HELD} WHERE attempts.attempt_id = :attemptId ORDER BY attempts.id DESC LIMIT 1`, { attemptId });
        return row ? toHeld(row) : null;
      }),
    noteLookup: async (runKey, attemptId, answer, nextAtMs) => {
      await db.write(() => note(db, runKey, attemptId, answer, nextAtMs));
    },
    openMoney: async ({ tenant } = {}) =>
      db.read(() => toOpenMoney(db.get(selectOpenMoney(tenant !== undefined), { ...(tenant === undefined ? {} : { tenant }) }) ?? {})),
    boundPerMille: async (model, endpoint) => db.readOne(() => perMilleOf(db, model, endpoint)),
    listBoundFactors: async (limit) => db.read(() => db.all(SELECT_BOUNDS, { limit: listLimit(limit) }).map(toBoundFactor)),
    resetBoundFactor: async (model, endpoint, by) => db.write(() => reset(db, model, endpoint, by)),
  };
}

function list(db: Connection, filter: HeldFilter) {
  const { where, parameters } = heldCondition(filter);
  return db.all(`${SELECT_HELD} ${where} ORDER BY attempts.id LIMIT :limit`, { ...parameters, limit: listLimit(filter.limit) }).map(toHeld);
}

function note(db: Connection, runKey: RunKey, attemptId: AttemptId, answer: string, nextAtMs: (looks: number, nowMs: number) => number): void {
  const found = db.get(
    `SELECT attempts.id, attempt_lookups.looks FROM attempts LEFT JOIN attempt_lookups ON attempt_lookups.attempt = attempts.id
     WHERE run = :run AND attempt_id = :attemptId`,
    { run: runRow(db, runKey), attemptId },
  );
  if (!found) return;
  const looks = (integerOrNull(found, 'looks') ?? 0) + 1;
  const lookedAt = db.now();
  db.run(PUT_LOOKUP, { attempt: integer(found, 'id'), lookedAt, looks, nextAt: nextAtMs(looks, lookedAt), answer });
}

function perMilleOf(db: Connection, model: string, endpoint: string): number {
  return integer(db.get(SELECT_BOUND, { model, endpoint }) ?? {}, 'per_mille');
}

/** Raises the bound of the attempt's model by what its overrun shows, within the transaction that books it. */
export function learnBound(db: Connection, { model, endpoint, money, reservedAtMs }: AttemptRecord, settledNanoUsd: number): void {
  const reservedWith = integer(db.get(SELECT_BOUND_AT, { model, endpoint, at: reservedAtMs }) ?? {}, 'per_mille');
  const learnt = factorLearnt(reservedWith, money.reservedNanoUsd, settledNanoUsd);
  if (learnt !== null && learnt > perMilleOf(db, model, endpoint)) db.run(INSERT_BOUND, { model, endpoint, perMille: learnt, now: db.now() });
}

function reset(db: Connection, model: string, endpoint: string, { actor, reason = '' }: MoneyMove): boolean {
  const perMille = perMilleOf(db, model, endpoint);
  if (perMille === PLAIN_PER_MILLE) return false;
  db.run(INSERT_BOUND, { model, endpoint, perMille: PLAIN_PER_MILLE, now: db.now() });
  writeAudit(db, { type: 'bound.reset', runKey: null, actor, data: { model, endpoint, perMille, reason } });
  return true;
}
