import type { AgentRunStatus } from '../../contracts/agent-run.ts';
import type { NanoUsd } from '../../contracts/budget.ts';
import type { GateRecord } from '../../domain/approval/gate.ts';
import type { GateOfRun, GateTimes, OverviewFilter, RunCount, SpendOfDay } from '../../domain/overview/store-port.ts';
import { integer, json, listLimit, type Row, text } from './rows.ts';

/** What both stores do for overviews: SQL that reads the same in SQLite and Postgres, and what its rows mean. */

const DAY_MS = 86_400_000;
const OF_TENANT = 'AND runs.tenant = :tenant';
/** As SHOWN_STATUS, for many runs at once: the open gates are looked up once, and not for each run. */
const SHOWN_STATUSES =
  "CASE WHEN runs.status = 'running' AND runs.paused_at_ms IS NOT NULL THEN 'paused' WHEN runs.status = 'running' AND runs.id IN (SELECT run FROM gates WHERE status = 'open') THEN 'awaitingApproval' ELSE runs.status END";

interface Query {
  readonly sql: string;
  readonly parameters: Readonly<Record<string, string | number>>;
}

/** `expiresAtMs` is the SQL for that field of `gate_json`. */
export function selectWaiting({ tenant, limit }: { readonly tenant?: string; readonly limit: number }, expiresAtMs: string): Query {
  return {
    sql: `SELECT gates.gate_json, runs.task, runs.tenant, runs.feature FROM gates JOIN runs ON runs.id = gates.run
      WHERE gates.status = 'open' ${tenant === undefined ? '' : OF_TENANT} ORDER BY ${expiresAtMs}, gates.id LIMIT :limit`,
    parameters: { limit: listLimit(limit), ...(tenant === undefined ? {} : { tenant }) },
  };
}

export function countWaiting(tenant: string | undefined): Query {
  return {
    sql: `SELECT count(*) AS gates FROM gates JOIN runs ON runs.id = gates.run WHERE gates.status = 'open' ${tenant === undefined ? '' : OF_TENANT}`,
    parameters: tenant === undefined ? {} : { tenant },
  };
}

export function selectSpend(filter: OverviewFilter): Query {
  return {
    sql: `SELECT attempts.reserved_at_ms / ${DAY_MS} AS day, runs.task, runs.tenant, count(*) AS attempts,
        CAST(coalesce(sum(attempts.settled_nano_usd), 0) AS BIGINT) AS settled,
        CAST(coalesce(sum(CASE WHEN attempts.money_status = 'held' THEN attempts.reserved_nano_usd ELSE 0 END), 0) AS BIGINT) AS held
      FROM attempts JOIN runs ON runs.id = attempts.run
      WHERE attempts.reserved_at_ms >= :since ${ofTenant(filter)}
      GROUP BY attempts.reserved_at_ms / ${DAY_MS}, runs.task, runs.tenant
      ORDER BY day DESC, settled DESC, runs.task, runs.tenant LIMIT :limit`,
    parameters: parametersOf(filter),
  };
}

export function selectRunCounts(filter: OverviewFilter): Query {
  return {
    sql: `SELECT task, tenant, shown_status, count(*) AS runs, CAST(coalesce(sum(limit_nano_usd), 0) AS BIGINT) AS limits, CAST(coalesce(sum(used), 0) AS BIGINT) AS used
      FROM (SELECT runs.task, runs.tenant, ${SHOWN_STATUSES} AS shown_status, scopes.limit_nano_usd,
          scopes.settled_nano_usd + scopes.held_nano_usd + scopes.written_off_nano_usd AS used
        FROM runs LEFT JOIN run_scopes ON run_scopes.run = runs.id AND run_scopes.kind = 'run' AND runs.parents_json = '[]'
          LEFT JOIN scopes ON scopes.id = run_scopes.scope
        WHERE runs.started_at_ms >= :since ${ofTenant(filter)}) AS shown
      GROUP BY task, tenant, shown_status ORDER BY task, tenant, shown_status LIMIT :limit`,
    parameters: parametersOf(filter),
  };
}

export function selectGateTimes(filter: OverviewFilter): Query {
  return {
    sql: `SELECT gates.gate_json, runs.task, runs.tenant FROM gates JOIN runs ON runs.id = gates.run
      WHERE runs.started_at_ms >= :since ${ofTenant(filter)} ORDER BY gates.id DESC LIMIT :limit`,
    parameters: parametersOf(filter),
  };
}

function ofTenant({ tenant }: OverviewFilter): string {
  return tenant === undefined ? '' : OF_TENANT;
}

function parametersOf({ sinceMs, tenant, limit }: OverviewFilter): Query['parameters'] {
  return { since: sinceMs, limit: listLimit(limit), ...(tenant === undefined ? {} : { tenant }) };
}

export function toGateOfRun(row: Row): GateOfRun {
  return { gate: json(row, 'gate_json'), task: text(row, 'task'), tenant: text(row, 'tenant'), feature: text(row, 'feature') };
}

/** Of the gate only what is never sealed. */
export function toGateTimes(row: Row): GateTimes {
  const { tool, status, createdAtMs, decidedAtMs } = json<GateRecord>(row, 'gate_json');
  return { task: text(row, 'task'), tenant: text(row, 'tenant'), tool, status, createdAtMs, decidedAtMs };
}

export function toSpendOfDay(row: Row): SpendOfDay {
  return {
    day: integer(row, 'day'),
    task: text(row, 'task'),
    tenant: text(row, 'tenant'),
    attempts: integer(row, 'attempts'),
    settledNanoUsd: integer(row, 'settled') as NanoUsd,
    heldNanoUsd: integer(row, 'held') as NanoUsd,
  };
}

export function toRunCount(row: Row): RunCount {
  return {
    task: text(row, 'task'),
    tenant: text(row, 'tenant'),
    status: text(row, 'shown_status') as AgentRunStatus,
    runs: integer(row, 'runs'),
    limitNanoUsd: integer(row, 'limits') as NanoUsd,
    usedNanoUsd: integer(row, 'used') as NanoUsd,
  };
}
