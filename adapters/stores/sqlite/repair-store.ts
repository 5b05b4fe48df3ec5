import { invariant } from '../../../contracts/failures.ts';
import type { RunKey } from '../../../contracts/ids.ts';
import type { RepairChange, RepairResult, RepairStore, RunControl } from '../../../domain/repair/store-port.ts';
import * as sql from '../repair-tables.ts';
import { integer, integerOrNull, textOrNull } from '../rows.ts';
import { writeAudit } from './audit-store.ts';
import type { Connection } from './connection.ts';
import { raiseRunLimit } from './gate-store.ts';
import { ledgerOf } from './ledger-store.ts';
import { findRunRow, runRow } from './run-store.ts';

export function createRepairStore(db: Connection): RepairStore {
  return {
    makeRepair: async (...repair) => db.write(() => make(db, ...repair)),
    listRepairs: async (runKey) => db.read(() => db.all(sql.SELECT_REPAIRS, { run: findRunRow(db, runKey) ?? -1 })).map((row) => sql.toRepair(row, runKey)),
    controlOf: async (runKey) => db.read(() => controlOf(db, runKey)),
  };
}

/** What holds the run back, inside the caller's transaction. */
export function controlOf(db: Connection, runKey: RunKey): RunControl {
  return sql.toControl(db.get(sql.SELECT_CONTROL, { ...runKey }));
}

function make(db: Connection, ...[repair, change, rule, audit]: Parameters<RepairStore['makeRepair']>): RepairResult {
  const { runKey, repairId } = repair;
  const run = runRow(db, runKey);
  const ledger = ledgerOf(db, runKey);
  const state = db.get(`SELECT ${sql.RUN_UNDER_REPAIR} FROM runs WHERE id = :run`, { run });
  invariant(ledger && state, `run ${runKey.agentRunId} has a budget scope`);
  const known = db.get(sql.SELECT_REPAIR, { run, repairId });
  if (known) return { type: 'known', repair: sql.toRepair(known, runKey), ledger };
  const verdict = rule({
    isEnded: textOrNull(state, 'end_json') !== null,
    pausedAtMs: integerOrNull(state, 'paused_at_ms'),
    repairs: integer(state, 'repairs'),
    limitNanoUsd: ledger.limitNanoUsd,
  });
  if (verdict.type !== 'permitted') return verdict;
  const atMs = db.now();
  apply(db, run, runKey, change);
  db.run(sql.INSERT_REPAIR, { run, ...sql.repairParameters(repair), now: atMs });
  writeAudit(db, audit);
  const after = ledgerOf(db, runKey);
  invariant(after, `run ${runKey.agentRunId} has a budget scope`);
  return { type: 'made', repair: { ...repair, atMs }, ledger: after };
}

function apply(db: Connection, run: number, runKey: RunKey, change: RepairChange): void {
  if (change.type === 'pause') db.run(sql.PAUSE_RUN, { run, now: db.now() });
  else if (change.type === 'resume') db.run(sql.RESUME_RUN, { run });
  else if (change.type === 'skip') db.run(sql.SKIP_REPLY, { run, replyAttemptId: change.replyAttemptId });
  else if (change.type === 'raise') raiseRunLimit(db, runKey, { nanoUsd: change.nanoUsd, tokens: 0 });
}
