import { CLOSED } from '../../../domain/model/breaker.ts';
import type { BreakerStore } from '../../../domain/model/breaker-store-port.ts';
import { integer, toBreaker } from '../rows.ts';
import type { Database, Session } from './database.ts';

const COLUMNS = 'endpoint, model, state_json, changed_at_ms';
const OF_KEY = 'endpoint = :endpoint AND model = :model';

export function createBreakerStore(db: Database): BreakerStore {
  return {
    readBreaker: async (key) => {
      // One row also where there is no breaker: the store's time comes along.
      const row = await db.get(`SELECT :now AS now_ms, breakers.* FROM (SELECT 1) AS one LEFT JOIN breakers ON ${OF_KEY}`, { ...key });
      return { state: row?.state_json ? toBreaker(row).state : CLOSED, nowMs: integer(row ?? {}, 'now_ms') };
    },
    changeBreaker: (key, rule) => db.transaction((session) => change(session, { ...key }, rule)),
    listBreakers: async () => (await db.all(`SELECT ${COLUMNS} FROM breakers ORDER BY endpoint, model`)).map(toBreaker),
  };
}

async function change(session: Session, key: Record<string, string>, rule: Parameters<BreakerStore['changeBreaker']>[1]) {
  // A row that is not there can't be locked.
  await session.all(`INSERT INTO breakers (${COLUMNS}) VALUES (:endpoint, :model, :closed, :now) ON CONFLICT DO NOTHING`, {
    ...key,
    closed: JSON.stringify(CLOSED),
  });
  const row = await session.get(`SELECT ${COLUMNS} FROM breakers WHERE ${OF_KEY} FOR NO KEY UPDATE`, key);
  const state = row ? toBreaker(row).state : CLOSED;
  const next = rule(state, await session.nowMs());
  if (!next) return state;
  await session.all(`UPDATE breakers SET state_json = :state, changed_at_ms = :now WHERE ${OF_KEY}`, { ...key, state: JSON.stringify(next) });
  return next;
}
