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
import type { Database } from './database.ts';
import { findRunRow } from './run-store.ts';

export function createTraceStore(db: Database): TraceStore {
  return {
    registerSinks: (names, forgetAfterMs, takes = 'spans') =>
      db.transaction(async (session) => {
        for (const sink of names.toSorted()) await session.all(REGISTER_SINK, { sink, takes });
        const forgotten = await session.all(`${FORGET_SINKS} RETURNING sink`, { before: (await session.nowMs()) - forgetAfterMs });
        if (forgotten.length > 0) await session.all(FORGET_OUTBOX);
      }),
    claimEnded: async (sink, { holder, leaseMs, limit, behind = '' }) => {
      if (!(await db.get(HAS_ENDED, { sink, behind }))) return [];
      if (!(await db.get(CLAIM_SINK, { sink, holder, until: (await db.nowMs()) + leaseMs }))) return [];
      return (await db.all(SELECT_ENDED, { sink, behind, limit })).map(toEnded);
    },
    settleEnded: (sink, ids, { exported, dropped }) =>
      db.transaction(async (session) => {
        await session.all('DELETE FROM trace_outbox WHERE id = ANY (:ids::bigint[])', { ids });
        await session.all(COUNT_SINK, { sink, exported, dropped });
      }),
    trimEnded: async (sink, keep) => {
      const excess = integer((await db.get(COUNT_PENDING, { sink })) ?? {}, 'pending') - keep;
      if (excess <= 0) return 0;
      return await db.transaction(async (session) => {
        const dropped = (await session.all(`${TRIM_OUTBOX} RETURNING id`, { sink, excess })).length;
        await session.all(COUNT_SINK, { sink, exported: 0, dropped });
        return dropped;
      });
    },
    stepTimes: async (runKey, step) => {
      const run = (await findRunRow(db, runKey)) ?? -1;
      return toStepTimes(await db.all(SELECT_STEP, { run, step }), await db.get(SELECT_STEP_TOOLS, { run, step }));
    },
    listSinks: async () => (await db.all(SELECT_SINKS)).map(toSinkState),
  };
}
