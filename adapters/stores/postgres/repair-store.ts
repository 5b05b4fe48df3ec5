import { invariant } from '../../../contracts/failures.ts';
import type { RunKey } from '../../../contracts/ids.ts';
import type { RepairChange, RepairResult, RepairStore, RunControl } from '../../../domain/repair/store-port.ts';
import * as sql from '../repair-tables.ts';
import { integer, integerOrNull, textOrNull } from '../rows.ts';
import { writeAudit } from './audit-store.ts';
import type { Database, Session } from './database.ts';
import { raiseRunLimit } from './gate-store.ts';
import { excludeActions } from './grant-store.ts';
import { ledgerOf } from './ledger-store.ts';
import { findRunRow, lockRun, unknownRun } from './run-store.ts';

export function createRepairStore(db: Database): RepairStore {
  return {
    makeRepair: (...repair) => db.transaction((session) => make(session, ...repair)),
    listRepairs: async (runKey) => (await db.all(sql.SELECT_REPAIRS, { run: (await findRunRow(db, runKey)) ?? -1 })).map((row) => sql.toRepair(row, runKey)),
    controlOf: (runKey) => controlOf(db, runKey),
  };
}

/** What holds the run back, inside the caller's transaction. */
export async function controlOf(session: Session, runKey: RunKey): Promise<RunControl> {
  return sql.toControl(await session.get(sql.SELECT_CONTROL, { ...runKey }));
}

async function make(session: Session, ...[repair, change, rule, audit]: Parameters<RepairStore['makeRepair']>): Promise<RepairResult> {
  const { runKey, repairId } = repair;
  // Before any row: actions of this run and of those below it have their intent, or see the pause.
  if (change.type === 'pause') await excludeActions(session);
  const locked = await lockRun(session, runKey);
  if (!locked) throw unknownRun(runKey);
  const run = integer(locked, 'id');
  const state = await session.get(`SELECT ${sql.RUN_UNDER_REPAIR} FROM runs WHERE id = :run`, { run });
  const ledger = await ledgerOf(session, runKey);
  invariant(ledger && state, `run ${runKey.agentRunId} has a budget scope`);
  const known = await session.get(sql.SELECT_REPAIR, { run, repairId });
  if (known) return { type: 'known', repair: sql.toRepair(known, runKey), ledger };
  const verdict = rule({
    isEnded: textOrNull(state, 'end_json') !== null,
    pausedAtMs: integerOrNull(state, 'paused_at_ms'),
    repairs: integer(state, 'repairs'),
    limitNanoUsd: ledger.limitNanoUsd,
  });
  if (verdict.type !== 'permitted') return verdict;
  await apply(session, run, runKey, change);
  await session.all(sql.INSERT_REPAIR, { run, ...sql.repairParameters(repair) });
  await writeAudit(session, audit);
  const made = await session.get(sql.SELECT_REPAIR, { run, repairId });
  const after = await ledgerOf(session, runKey);
  invariant(made && after, `repair ${repairId} was written`);
  return { type: 'made', repair: sql.toRepair(made, runKey), ledger: after };
}

async function apply(session: Session, run: number, runKey: RunKey, change: RepairChange): Promise<void> {
  switch (change.type) {
    case 'pause':
      await session.all(sql.PAUSE_RUN, { run });
      return;
    case 'resume':
      await session.all(sql.RESUME_RUN, { run });
      return;
    case 'skip':
      await session.all(sql.SKIP_REPLY, { run, replyAttemptId: change.replyAttemptId });
      return;
    case 'raise':
      return await raiseRunLimit(session, runKey, { nanoUsd: change.nanoUsd, tokens: 0 });
    case 'none':
      return;
  }
}
