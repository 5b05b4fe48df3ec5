import type { TraceStore } from '../../../domain/trace/store-port.ts';
import { integer } from '../rows.ts';
import {
  CLAIM_SINK,
  COUNT_PENDING,
  COUNT_SINK,
  FORGET_OUTBOX,
  FORGET_SINKS,
  HAS_ENDED,
  REGISTER_SINK,
  SELECT_ENDED,
  SELECT_SINKS,
  SELECT_STEP,
  SELECT_STEP_TOOLS,
  toEnded,
  toSinkState,
  toStepTimes,
  TRIM_OUTBOX,
} from '../trace-sql.ts';
import type { Connection } from './connection.ts';
import { findRunRow } from './run-store.ts';

export function createTraceStore(db: Connection): TraceStore {
  return {
    registerSinks: (names, forgetAfterMs, takes = 'spans') =>
      db.write(() => {
        for (const sink of names) db.run(REGISTER_SINK, { sink, takes, now: db.now() });
        if (db.run(FORGET_SINKS, { before: db.now() - forgetAfterMs }) > 0) db.run(FORGET_OUTBOX);
      }),
    claimEnded: async (sink, { holder, leaseMs, limit, behind = '' }) => {
      if (!db.read(() => db.get(HAS_ENDED, { sink, behind }))) return [];
      return await db.write(() => {
        if (!db.get(CLAIM_SINK, { sink, holder, until: db.now() + leaseMs, now: db.now() })) return [];
        return db.all(SELECT_ENDED, { sink, behind, limit }).map(toEnded);
      });
    },
    settleEnded: (sink, ids, { exported, dropped }) =>
      db.write(() => {
        db.run('DELETE FROM trace_outbox WHERE id IN (SELECT value FROM json_each(:ids))', { ids: JSON.stringify(ids) });
        db.run(COUNT_SINK, { sink, exported, dropped });
      }),
    trimEnded: async (sink, keep) => {
      const excessOf = () => Math.max(0, integer(db.get(COUNT_PENDING, { sink }) ?? {}, 'pending') - keep);
      if (db.read(excessOf) === 0) return 0;
      return await db.write(() => {
        const dropped = db.run(TRIM_OUTBOX, { sink, excess: excessOf() });
        db.run(COUNT_SINK, { sink, exported: 0, dropped });
        return dropped;
      });
    },
    stepTimes: async (runKey, step) =>
      db.read(() => {
        const run = findRunRow(db, runKey) ?? -1;
        return toStepTimes(db.all(SELECT_STEP, { run, step }), db.get(SELECT_STEP_TOOLS, { run, step }));
      }),
    listSinks: async () => db.read(() => db.all(SELECT_SINKS).map(toSinkState)),
  };
}
