import type { RunEnd } from '../../../contracts/agent-run.ts';
import { TollgateError } from '../../../contracts/failures.ts';
import type { RunKey } from '../../../contracts/ids.ts';
import { nanoUsd } from '../../../domain/budget/ledger.ts';
import type { NewRun, RunFilter, RunRecord, RunStore } from '../../../domain/store/port.ts';
import { integer, jsonOrNull, listLimit, runScopeKey, tokenScopeKey, toRun } from '../rows.ts';
import { runCondition } from '../run-filter.ts';
import { SELECT_RUN } from '../sql.ts';
import type { Connection } from './connection.ts';
import { runEnded, runReopened, runStarted } from '../audit-facts.ts';
import { writeAudit } from './audit-store.ts';
import { endGates } from './gate-store.ts';

const NEAREST_PARENT = "json_extract(runs.parents_json, '$[0].firstExecutionRunId')";

/** The row number of a run, null where it is not known. */
export function findRunRow(db: Connection, { agentRunId, firstExecutionRunId }: RunKey): number | null {
  const row = db.get('SELECT id FROM runs WHERE agent_run_id = :agentRunId AND first_execution_run_id = :firstExecutionRunId', {
    agentRunId,
    firstExecutionRunId,
  });
  return row ? integer(row, 'id') : null;
}

/** @throws TollgateError `journalMissing` where the store does not know the run. */
export function runRow(db: Connection, runKey: RunKey): number {
  const row = findRunRow(db, runKey);
  if (row === null)
    throw new TollgateError('journalMissing', `The store does not know run ${runKey.agentRunId} (first execution ${runKey.firstExecutionRunId}).`);
  return row;
}

export function createRunStore(db: Connection): RunStore {
  return {
    createRun: async (run) => db.write(() => insertRun(db, run)),
    getRun: async (runKey) =>
      db.read(() => one(db, 'WHERE runs.agent_run_id = :agentRunId AND runs.first_execution_run_id = :firstExecutionRunId', { ...runKey })),
    latestRun: async (agentRunId) => db.read(() => one(db, 'WHERE runs.agent_run_id = :agentRunId ORDER BY runs.id DESC LIMIT 1', { agentRunId })),
    listRuns: async (filter) => db.read(() => list(db, filter)),
    endRun: async (runKey, end, steps) => db.write(() => writeEnd(db, runKey, end, steps)),
    reopenRun: async (runKey) => {
      await db.write(() => {
        const id = runRow(db, runKey);
        const reopened = db.run("UPDATE runs SET status = 'running', end_json = NULL, ended_at_ms = NULL WHERE id = :id AND ended_at_ms IS NOT NULL", { id });
        if (reopened > 0) writeAudit(db, runReopened(runKey));
      });
    },
  };
}

function insertRun(db: Connection, run: NewRun): 'created' | 'exists' {
  const { runKey, task, tenant, feature, requester, snapshotDigest, parentRunKeys, subject = null, traceparent = null } = run;
  if (findRunRow(db, runKey) !== null) return 'exists';
  db.run(
    `INSERT INTO runs (agent_run_id, first_execution_run_id, task, tenant, feature, requester, snapshot_digest, started_at_ms, status, parents_json, subject, traceparent)
     VALUES (:agentRunId, :firstExecutionRunId, :task, :tenant, :feature, :requester, :snapshotDigest, :now, 'running', :parents, :subject, :traceparent)`,
    { ...runKey, task, tenant, feature, requester, snapshotDigest, subject, traceparent, now: db.now(), parents: JSON.stringify(parentRunKeys) },
  );
  const id = runRow(db, runKey);
  db.run("INSERT INTO scopes (kind, scope_key, limit_nano_usd) VALUES ('run', :key, :limit)", { key: runScopeKey(runKey), limit: nanoUsd(run.limitNanoUsd) });
  const link = (kind: string, scopeKind: string, key: string) =>
    db.run('INSERT OR IGNORE INTO run_scopes (run, scope, kind) SELECT :id, scopes.id, :kind FROM scopes WHERE scopes.kind = :scopeKind AND scope_key = :key', {
      id,
      kind,
      scopeKind,
      key,
    });
  const meter = (kind: string, key: string) =>
    db.run("INSERT OR IGNORE INTO run_meters (run, scope, kind) SELECT :id, id, :kind FROM scopes WHERE scopes.kind = 'run' AND scope_key = :key", {
      id,
      kind,
      key,
    });
  link('run', 'run', runScopeKey(runKey));
  if (run.limitTokens !== undefined) {
    db.run("INSERT INTO scopes (kind, scope_key, limit_nano_usd, unit) VALUES ('run', :key, :limit, 'tokens')", {
      key: tokenScopeKey(runKey),
      limit: nanoUsd(run.limitTokens),
    });
    meter('run', tokenScopeKey(runKey));
  }
  for (const parent of parentRunKeys) {
    // A child whose parent is not known would spend past the parent's budget.
    runRow(db, parent);
    link('parent', 'run', runScopeKey(parent));
    meter('parent', tokenScopeKey(parent));
  }
  writeAudit(db, runStarted(run));
  return 'created';
}

function list(db: Connection, filter: RunFilter): RunRecord[] {
  const { where, parameters } = runCondition(filter, NEAREST_PARENT);
  return db.all(`${SELECT_RUN} ${where} ORDER BY runs.id DESC LIMIT :limit`, { ...parameters, limit: listLimit(filter.limit) }).map(toRun);
}

function one(db: Connection, where: string, parameters: Record<string, string>): RunRecord | null {
  const row = db.get(`${SELECT_RUN} ${where}`, parameters);
  return row ? toRun(row) : null;
}

function writeEnd(db: Connection, runKey: RunKey, end: RunEnd, steps: number): RunEnd {
  const id = runRow(db, runKey);
  // Also where the run had ended: a gate that a late activity opened since is no use to anybody.
  endGates(db, id, []);
  const earlier = jsonOrNull<RunEnd>(db.get('SELECT end_json FROM runs WHERE id = :id', { id }) ?? {}, 'end_json');
  if (earlier) return earlier;
  db.run('UPDATE runs SET status = :status, end_json = :end, ended_at_ms = :now, steps = :steps WHERE id = :id', {
    id,
    status: end.status,
    end: JSON.stringify(end),
    now: db.now(),
    steps,
  });
  writeAudit(db, runEnded(runKey, end, steps));
  return end;
}
