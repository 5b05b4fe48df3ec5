import type { SignedStatement } from '../../contracts/statement.ts';
import type { AgentRunId, ApprovalId } from '../../contracts/ids.ts';
import type { DelegationRecord, RevocationRecord, StandingUseRecord } from '../../domain/approval/grant-store-port.ts';
import { describeTerms, type StandingRecord, type StandingState } from '../../domain/approval/standing.ts';
import { type StopRecord, stopKey } from '../../domain/approval/stop.ts';
import { integer, json, jsonOrNull, type Row, text } from './rows.ts';

/** Tables of stop switches, standing approvals, delegations and what was taken back: the same in both stores but for the names of types. */
export function grantTables({ integer: int, id, table }: { readonly integer: string; readonly id: string; readonly table: string }): string {
  return `
  CREATE TABLE stops (
    id ${id},
    stop_key TEXT NOT NULL UNIQUE,
    stop_id TEXT NOT NULL UNIQUE,
    tool TEXT NOT NULL,
    task TEXT NOT NULL,
    tenant TEXT NOT NULL,
    stop_json TEXT NOT NULL,
    thrown_at_ms ${int} NOT NULL
  )${table};

  CREATE TABLE standing_approvals (
    id ${id},
    standing_id TEXT NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    tool TEXT NOT NULL,
    until_ms ${int} NOT NULL,
    record_json TEXT NOT NULL
  )${table};
  CREATE INDEX standing_approvals_by_tool ON standing_approvals (tenant, tool, until_ms);

  CREATE TABLE standing_uses (
    id ${id},
    standing ${int} NOT NULL REFERENCES standing_approvals (id),
    run ${int} NOT NULL REFERENCES runs (id),
    approval_id TEXT NOT NULL,
    amount_micro ${int} NOT NULL CHECK (amount_micro >= 0),
    at_ms ${int} NOT NULL,
    UNIQUE (run, approval_id)
  )${table};
  CREATE INDEX standing_uses_by_standing ON standing_uses (standing);

  CREATE TABLE delegations (
    id ${id},
    delegation_id TEXT NOT NULL UNIQUE,
    delegate TEXT NOT NULL,
    tenant TEXT NOT NULL,
    until_ms ${int} NOT NULL,
    delegation_json TEXT NOT NULL
  )${table};
  CREATE INDEX delegations_by_delegate ON delegations (delegate, until_ms);

  CREATE TABLE revocations (
    id ${id},
    subject TEXT NOT NULL UNIQUE,
    revocation_json TEXT NOT NULL
  )${table};
  `;
}

/** Of these, rows are only ever added: what was used or taken back stays so. */
export const APPEND_ONLY = ['standing_uses', 'revocations'] as const;

// In the columns of a stop, an empty name stands for any.
const STOP_COLUMNS = 'stops.stop_json';
export const SELECT_STOPS = `SELECT ${STOP_COLUMNS} FROM stops ORDER BY thrown_at_ms DESC, id DESC LIMIT :limit`;
export const SELECT_STOP = `SELECT ${STOP_COLUMNS} FROM stops WHERE stop_id = :stopId`;
export const SELECT_STOPS_FOR = `SELECT ${STOP_COLUMNS} FROM stops, runs WHERE runs.agent_run_id = :agentRunId AND runs.first_execution_run_id = :firstExecutionRunId
  AND stops.tool IN ('', :tool) AND stops.task IN ('', runs.task) AND stops.tenant IN ('', runs.tenant) ORDER BY stops.id`;
export const UPSERT_STOP = `INSERT INTO stops (stop_key, stop_id, tool, task, tenant, stop_json, thrown_at_ms)
  VALUES (:stopKey, :stopId, :tool, :task, :tenant, :stop, :thrownAtMs)
  ON CONFLICT (stop_key) DO UPDATE SET stop_id = excluded.stop_id, stop_json = excluded.stop_json, thrown_at_ms = excluded.thrown_at_ms`;
export const UPDATE_STOP = 'UPDATE stops SET stop_json = :stop WHERE stop_id = :stopId';

export function stopParameters(stop: StopRecord) {
  const { tool, task, tenant } = stop.scope;
  const { stopId, thrownAtMs } = stop;
  return { stopKey: stopKey(stop), stopId, tool: tool ?? '', task: task ?? '', tenant: tenant ?? '', stop: JSON.stringify(stop), thrownAtMs };
}

export function toStop(row: Row): StopRecord {
  return json<StopRecord>(row, 'stop_json');
}

const REVOKED = 'EXISTS (SELECT 1 FROM revocations WHERE revocations.subject = standing_approvals.standing_id)';
const STANDING_COLUMNS = `record_json, CASE WHEN ${REVOKED} THEN 1 ELSE 0 END AS revoked,
  (SELECT count(*) FROM standing_uses WHERE standing = standing_approvals.id) AS uses,
  (SELECT CAST(coalesce(sum(amount_micro), 0) AS BIGINT) FROM standing_uses WHERE standing = standing_approvals.id) AS total_micro`;
export const SELECT_STANDING = `SELECT ${STANDING_COLUMNS} FROM standing_approvals WHERE standing_id = :standingId`;
export const INSERT_STANDING = `INSERT INTO standing_approvals (standing_id, tenant, tool, until_ms, record_json)
  VALUES (:standingId, :tenant, :tool, :untilMs, :record) ON CONFLICT (standing_id) DO NOTHING RETURNING id`;
export const UPDATE_STANDING = 'UPDATE standing_approvals SET record_json = :record WHERE standing_id = :standingId';
export const INSERT_STANDING_USE = `INSERT INTO standing_uses (standing, run, approval_id, amount_micro, at_ms)
  SELECT id, :run, :approvalId, :amountMicro, :now FROM standing_approvals WHERE standing_id = :standingId RETURNING id`;
export const SELECT_STANDING_USES = `SELECT runs.agent_run_id, runs.first_execution_run_id, standing_uses.approval_id, standing_uses.amount_micro, standing_uses.at_ms
  FROM standing_uses JOIN runs ON runs.id = standing_uses.run JOIN standing_approvals ON standing_approvals.id = standing_uses.standing
  WHERE standing_approvals.standing_id = :standingId ORDER BY standing_uses.id LIMIT :limit`;

export function selectStandings({ tenant, tool, live }: { readonly tenant?: string; readonly tool?: string; readonly live?: boolean }): string {
  const conditions = [
    tenant === undefined ? [] : 'tenant = :tenant',
    tool === undefined ? [] : 'tool = :tool',
    live ? `until_ms > :now AND NOT ${REVOKED}` : [],
  ].flat();
  return `SELECT ${STANDING_COLUMNS} FROM standing_approvals ${where(conditions)} ORDER BY id DESC LIMIT :limit`;
}

export function standingParameters(record: StandingRecord) {
  const { standingId, terms } = record;
  return { standingId, tenant: terms.tenant, tool: terms.tool, untilMs: terms.untilMs, record: JSON.stringify(record) };
}

/** What the audit says of a grant: the terms in words, and the signed form, which proves it. */
export function grantedData({ standingId, terms, grants }: StandingRecord) {
  return { standingId, terms: describeTerms(terms), signed: grants.at(-1) ?? null };
}

/** With one more signature; null where it has that one already. */
export function withGrant(record: StandingRecord, signed: SignedStatement): StandingRecord | null {
  return record.grants.includes(signed) ? null : { ...record, grants: [...record.grants, signed] };
}

export function toStanding(row: Row): StandingState {
  return {
    record: json<StandingRecord>(row, 'record_json'),
    isRevoked: integer(row, 'revoked') === 1,
    uses: integer(row, 'uses'),
    totalMicro: integer(row, 'total_micro'),
  };
}

export function toStandingUse(row: Row): StandingUseRecord {
  return {
    runKey: { agentRunId: text(row, 'agent_run_id') as AgentRunId, firstExecutionRunId: text(row, 'first_execution_run_id') },
    approvalId: text(row, 'approval_id') as ApprovalId,
    amountMicro: integer(row, 'amount_micro'),
    atMs: integer(row, 'at_ms'),
  };
}

export const INSERT_DELEGATION = `INSERT INTO delegations (delegation_id, delegate, tenant, until_ms, delegation_json)
  VALUES (:delegationId, :to, :tenant, :untilMs, :delegation) ON CONFLICT (delegation_id) DO NOTHING RETURNING id`;
export const SELECT_DELEGATION = 'SELECT delegation_json FROM delegations WHERE delegation_id = :delegationId';

export function delegationParameters(record: DelegationRecord) {
  const { delegationId, to, tenant, untilMs } = record.delegation;
  return { delegationId, to, tenant: tenant ?? '', untilMs, delegation: JSON.stringify(record) };
}

/** One for every tenant is one of each. */
export function selectDelegations({ tenant, to, live }: { readonly tenant?: string; readonly to?: string; readonly live?: boolean }): string {
  const revoked = 'EXISTS (SELECT 1 FROM revocations WHERE revocations.subject = delegations.delegation_id)';
  const conditions = [
    tenant === undefined ? [] : "tenant IN ('', :tenant)",
    to === undefined ? [] : 'delegate = :to',
    live ? `until_ms > :now AND NOT ${revoked}` : [],
  ].flat();
  return `SELECT delegation_json FROM delegations ${where(conditions)} ORDER BY id DESC LIMIT :limit`;
}

export function toDelegation(row: Row): DelegationRecord {
  return json<DelegationRecord>(row, 'delegation_json');
}

export const INSERT_REVOCATION =
  'INSERT INTO revocations (subject, revocation_json) VALUES (:subject, :revocation) ON CONFLICT (subject) DO NOTHING RETURNING id';
export const SELECT_REVOCATION = 'SELECT revocation_json FROM revocations WHERE subject = :subject';

export function toRevocation(row: Row | undefined): RevocationRecord | null {
  return row ? jsonOrNull<RevocationRecord>(row, 'revocation_json') : null;
}

function where(conditions: readonly string[]): string {
  return conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
}
