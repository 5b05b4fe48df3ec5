import { CLOSED } from '../../../domain/model/breaker.ts';
import type { BreakerKey, BreakerRecord, BreakerStore } from '../../../domain/model/breaker-store-port.ts';
import { toBreaker } from '../rows.ts';
import type { Connection } from './connection.ts';

export function createBreakerStore(db: Connection): BreakerStore {
  return {
    readBreaker: async (key) => db.readOne(() => ({ state: find(db, key)?.state ?? CLOSED, nowMs: db.now() })),
    changeBreaker: async (key, rule) =>
      db.write(() => {
        const state = find(db, key)?.state ?? CLOSED;
        const nowMs = db.now();
        const next = rule(state, nowMs);
        if (!next) return state;
        db.run(
          `INSERT INTO breakers (endpoint, model, state_json, changed_at_ms) VALUES (:endpoint, :model, :state, :nowMs)
           ON CONFLICT (endpoint, model) DO UPDATE SET state_json = excluded.state_json, changed_at_ms = excluded.changed_at_ms`,
          { endpoint: key.endpoint, model: key.model, state: JSON.stringify(next), nowMs },
        );
        return next;
      }),
    listBreakers: async () => db.read(() => db.all('SELECT * FROM breakers ORDER BY endpoint, model').map(toBreaker)),
  };
}

function find(db: Connection, { endpoint, model }: BreakerKey): BreakerRecord | null {
  const row = db.get('SELECT * FROM breakers WHERE endpoint = :endpoint AND model = :model', { endpoint, model });
  return row ? toBreaker(row) : null;
}
