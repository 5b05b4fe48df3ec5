import type { RunEnd } from '../../../contracts/agent-run.ts';
import { TollgateError } from '../../../contracts/failures.ts';
import type { RunKey } from '../../../contracts/ids.ts';
import { nanoUsd } from '../../../domain/budget/ledger.ts';
import type { NewRun, RunFilter, RunRecord, RunStore } from '../../../domain/store/port.ts';
import { integer, jsonOrNull, listLimit, type Row, runScopeKey, tokenScopeKey, toRun } from '../rows.ts';
import { runCondition } from '../run-filter.ts';
import { SELECT_RUN } from '../sql.ts';
import type { Database, Session } from './database.ts';
import { runEnded, runReopened, runStarted } from '../audit-facts.ts';
import { writeAudit } from './audit-store.ts';
import { endGates } from './gate-store.ts';

const NEAREST_PARENT = "(runs.parents_json::json -> 0 ->> 'firstExecutionRunId')";
const OF_RUN = 'agent_run_id = :agentRunId AND first_execution_run_id = :firstExecutionRunId';

export function createRunStore(db: Database): RunStore {
  return {
    createRun: (run) => db.transaction((session) => insertRun(session, run)),
    getRun: (runKey) => one(db, `WHERE ${OF_RUN}`, { ...runKey }),
    latestRun: (agentRunId) => one(db, 'WHERE runs.agent_run_id = :agentRunId ORDER BY runs.id DESC LIMIT 1', { agentRunId }),
    listRuns: (filter) => list(db, filter),
    endRun: (runKey, end, steps) => db.transaction((session) => writeEnd(session, runKey, end, steps)),
    reopenRun: (runKey) => db.transaction((session) => reopen(session, runKey)),
  };
}

/** Takes the end of a run back, where it has one. */
export async function reopen(session: Session, runKey: RunKey): Promise<void> {
  const run = await lockRun(session, runKey);
  if (!run) throw unknownRun(runKey);
  if (run.end_json === null) return;
  await session.all("UPDATE runs SET status = 'running', end_json = NULL, ended_at_ms = NULL WHERE id = :id", { id: integer(run, 'id') });
  await writeAudit(session, runReopened(runKey));
}

/** The row number of a run, null where it is not known. */
export async function findRunRow(session: Session, runKey: RunKey): Promise<number | null> {
  const row = await session.get(`SELECT id FROM runs WHERE ${OF_RUN}`, { ...runKey });
  return row ? integer(row, 'id') : null;
}

/** @throws TollgateError `journalMissing` where the store does not know the run. */
export async function runRow(session: Session, runKey: RunKey): Promise<number> {
  const row = await findRunRow(session, runKey);
  if (row === null) throw unknownRun(runKey);
  return row;
}

/** Locks a run, so that what is counted over its rows stays true until the end of the transaction. */
export async function lockRun(session: Session, runKey: RunKey): Promise<Row | undefined> {
  return await session.get(`SELECT id, end_json FROM runs WHERE ${OF_RUN} FOR NO KEY UPDATE`, { ...runKey });
}

export function unknownRun({ agentRunId, firstExecutionRunId }: RunKey): TollgateError {
  return new TollgateError('journalMissing', `The store does not know run ${agentRunId} (first execution ${firstExecutionRunId}).`);
}

async function insertRun(session: Session, run: NewRun): Promise<'created' | 'exists'> {
  const { runKey, task, tenant, feature, requester, snapshotDigest, parentRunKeys, subject, traceparent } = run;
  const limit = nanoUsd(run.limitNanoUsd);
  const inserted = await session.get(
    `INSERT INTO runs (agent_run_id, first_execution_run_id, task, tenant, feature, requester, snapshot_digest, started_at_ms, status, parents_json, subject, traceparent)
     VALUES (:agentRunId, :firstExecutionRunId, :task, :tenant, :feature, :requester, :snapshotDigest, :now, 'running', :parents, :subject, :traceparent)
     ON CONFLICT DO NOTHING RETURNING id`,
    { ...runKey, task, tenant, feature, requester, snapshotDigest, subject, traceparent, parents: JSON.stringify(parentRunKeys) },
  );
  if (!inserted) return 'exists';
  const id = integer(inserted, 'id');
  await session.all(
    `WITH own AS (INSERT INTO scopes (kind, scope_key, limit_nano_usd) VALUES ('run', :key, :limit) RETURNING id)
     INSERT INTO run_scopes (run, scope, kind) SELECT :id, own.id, 'run' FROM own`,
    { key: runScopeKey(runKey), limit, id },
  );
  if (run.limitTokens !== undefined)
    await session.all(
      `WITH own AS (INSERT INTO scopes (kind, scope_key, limit_nano_usd, unit) VALUES ('run', :key, :limit, 'tokens') RETURNING id)
       INSERT INTO run_meters (run, scope, kind) SELECT :id, own.id, 'run' FROM own`,
      { key: tokenScopeKey(runKey), limit: nanoUsd(run.limitTokens), id },
    );
  for (const parent of parentRunKeys) {
    // A child whose parent is not known would spend past the parent's budget.
    await runRow(session, parent);
    await session.all(
      `INSERT INTO run_scopes (run, scope, kind) SELECT :id, scopes.id, 'parent' FROM scopes WHERE scopes.kind = 'run' AND scope_key = :key
       ON CONFLICT DO NOTHING`,
      { id, key: runScopeKey(parent) },
    );
    await session.all(
      `INSERT INTO run_meters (run, scope, kind) SELECT :id, scopes.id, 'parent' FROM scopes WHERE scopes.kind = 'run' AND scope_key = :key
       ON CONFLICT DO NOTHING`,
      { id, key: tokenScopeKey(parent) },
    );
  }
  await writeAudit(session, runStarted(run));
  return 'created';
}

async function list(session: Session, filter: RunFilter): Promise<RunRecord[]> {
  const { where, parameters } = runCondition(filter, NEAREST_PARENT);
  const limit = listLimit(filter.limit);
  return (await session.all(`${SELECT_RUN} ${where} ORDER BY runs.id DESC LIMIT :limit`, { ...parameters, limit })).map(toRun);
}

async function one(session: Session, where: string, parameters: Record<string, string>): Promise<RunRecord | null> {
  const row = await session.get(`${SELECT_RUN} ${where}`, parameters);
  return row ? toRun(row) : null;
}

async function writeEnd(session: Session, runKey: RunKey, end: RunEnd, steps: number): Promise<RunEnd> {
  const run = await lockRun(session, runKey);
  if (!run) throw unknownRun(runKey);
  const id = integer(run, 'id');
  // Also where the run had ended: a gate that a late activity opened since is no use to anybody.
  await endGates(session, id, []);
  const earlier = jsonOrNull<RunEnd>(run, 'end_json');
  if (earlier) return earlier;
  await session.all('UPDATE runs SET status = :status, end_json = :end, ended_at_ms = :now, steps = :steps WHERE id = :id', {
    id,
    status: end.status,
    end: JSON.stringify(end),
    steps,
  });
  await writeAudit(session, runEnded(runKey, end, steps));
  return end;
}
