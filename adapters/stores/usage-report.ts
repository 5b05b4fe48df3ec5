import type {
  AttemptUsage,
  FeedbackUsage,
  GateUsage,
  Percentiles,
  ReportDimension,
  RunUsage,
  UsageFilter,
  UsageGroup,
  UsageReport,
} from '../../domain/report/store-port.ts';
import { integer, integerOrNull, listLimit, type Row, text } from './rows.ts';

/** What both stores need to add up what was used. What differs between their SQL: */
export interface ReportDialect {
  /** An integer of the JSON in `column`, null where it is not there. */
  jsonInteger(column: string, field: string): string;
  /** A text at a path of the JSON in `column`. */
  jsonText(column: string, ...path: readonly string[]): string;
  /** The text of a content. */
  readonly contentBody: string;
  /** The day (UTC) of a moment in milliseconds, `YYYY-MM-DD`. */
  day(column: string): string;
  /** What `ORDER BY` needs to order texts by their bytes. */
  readonly byBytes: string;
}

type Part = 'attempts' | 'runs' | 'gates' | 'feedback';
const AT: Readonly<Record<Part, string>> = {
  attempts: 'attempts.reserved_at_ms',
  runs: 'runs.started_at_ms',
  gates: 'runs.started_at_ms',
  feedback: 'feedback.at_ms',
};
const FROM: Readonly<Record<Part, string>> = {
  attempts: 'attempts JOIN runs ON runs.id = attempts.run',
  runs: "runs JOIN scopes ON scopes.kind = 'run' AND scopes.scope_key = runs.agent_run_id || '/' || runs.first_execution_run_id",
  gates: 'gates JOIN runs ON runs.id = gates.run',
  feedback: 'feedback JOIN runs ON runs.id = feedback.run',
};
const IS_REPLY = `CASE WHEN attempts.outcome_json = '{"type":"reply"}' THEN 1 ELSE 0 END`;
const EARLIER = (table: string) =>
  `EXISTS (SELECT 1 FROM ${table} AS earlier WHERE earlier.run = attempts.run AND earlier.step = attempts.step
     AND earlier.ordinal < attempts.ordinal AND earlier.model <> attempts.model)`;
const TOKENS = ['inputTokens', 'cachedInputTokens', 'cacheWriteTokens', 'outputTokens', 'reasoningTokens'] as const;
const ENDS = ['completed', 'budgetExhausted', 'denied', 'expired', 'cancelled', 'failed'] as const;

export interface UsageStatements {
  readonly parameters: Readonly<Record<string, string | number>>;
  /** One statement for each part that the dimension has. */
  readonly sql: Readonly<Partial<Record<Part, string>>>;
}

/** The statements of a report; each answers one row for each group, one more than asked for. */
export function usageStatements(filter: UsageFilter, dialect: ReportDialect): UsageStatements {
  const { by, fromMs, toMs, tenant, limit } = filter;
  const parts: Part[] = by === 'model' ? ['attempts'] : ['attempts', 'runs', 'gates', 'feedback'];
  const parameters = { fromMs, toMs, ...(tenant === undefined ? {} : { tenant }), limit: listLimit(limit) + 1 };
  return { parameters, sql: Object.fromEntries(parts.map((part) => [part, statement(part, filter, dialect)])) };
}

function statement(part: Part, { by, tenant }: UsageFilter, dialect: ReportDialect): string {
  const at = AT[part];
  const versions = by === 'promptVersion' ? `${promptVersions(dialect)}, ` : '';
  const join = by === 'promptVersion' ? 'LEFT JOIN versions ON versions.digest = runs.snapshot_digest' : '';
  const chosen = `SELECT ${keyOf(by, at, dialect)} AS group_key, ${columnsOf(part, dialect)} FROM ${FROM[part]} ${join}
    WHERE ${at} >= :fromMs AND ${at} < :toMs${tenant === undefined ? '' : ' AND runs.tenant = :tenant'}`;
  return `WITH ${versions}chosen AS (${chosen}) ${summed(part, dialect)}`;
}

function keyOf(by: UsageFilter['by'], at: string, dialect: ReportDialect): string {
  const keys: Readonly<Record<ReportDimension | 'total', string>> = {
    total: "''",
    task: 'runs.task',
    feature: 'runs.feature',
    tenant: 'runs.tenant',
    model: 'attempts.model',
    promptVersion: "coalesce(versions.version, '(unknown)')",
    day: dialect.day(at),
  };
  return keys[by];
}

/** As the workflow and the search attribute name it. Each snapshot is read once, however many runs are pinned to it. */
function promptVersions({ jsonText, contentBody }: ReportDialect): string {
  const name = `coalesce(${jsonText(contentBody, 'task', 'promptName')}, ${jsonText(contentBody, 'task', 'name')})`;
  const version = `${name} || '@' || substr(${jsonText(contentBody, 'promptDigest')}, 1, 12)`;
  return `versions AS MATERIALIZED (SELECT digest, ${version} AS version FROM contents
    WHERE digest IN (SELECT snapshot_digest FROM runs WHERE started_at_ms < :toMs))`;
}

function columnsOf(part: Part, { jsonInteger }: ReportDialect): string {
  switch (part) {
    case 'attempts':
      return `attempts.money_status, attempts.settled_nano_usd, attempts.reserved_nano_usd, attempts.overrun_nano_usd,
        attempts.ended_at_ms - attempts.reserved_at_ms AS took_ms, ${IS_REPLY} AS is_measured,
        CASE WHEN attempts.outcome_json IS NULL THEN 1 ELSE 0 END AS in_flight,
        CASE WHEN attempts.outcome_json = '{"type":"reply"}' AND (${EARLIER('attempts')} OR ${EARLIER('skips')}) THEN 1 ELSE 0 END AS is_fallback,
        ${TOKENS.map((field) => `${jsonInteger('attempts.usage_json', field)} AS ${column(field)}`).join(', ')}`;
    case 'runs':
      return "runs.status, CASE WHEN runs.parents_json = '[]' THEN scopes.limit_nano_usd ELSE 0 END AS limit_nano_usd";
    case 'gates':
      return `gates.status, ${jsonInteger('gates.gate_json', 'decidedAtMs')} - ${jsonInteger('gates.gate_json', 'createdAtMs')} AS took_ms,
        CASE WHEN ${jsonInteger('gates.gate_json', 'decidedAtMs')} IS NULL THEN 0 ELSE 1 END AS is_measured`;
    case 'feedback':
      return 'feedback.score_per_mille';
  }
}

function summed(part: Part, { byBytes }: ReportDialect): string {
  const end = `GROUP BY group_key ORDER BY group_key${byBytes} LIMIT :limit`;
  switch (part) {
    case 'attempts': {
      const tokens = TOKENS.map((field) => `${exactSum(column(field))} AS ${column(field)}`).join(', ');
      return `${RANKED} SELECT group_key, count(*) AS attempts, sum(is_measured) AS replies, sum(is_fallback) AS fallbacks, sum(in_flight) AS in_flight,
        ${exactSum("CASE WHEN money_status = 'settled' THEN settled_nano_usd END")} AS settled,
        ${exactSum("CASE WHEN money_status = 'held' THEN reserved_nano_usd END")} AS held,
        ${exactSum("CASE WHEN money_status = 'writtenOff' THEN reserved_nano_usd END")} AS written_off,
        ${exactSum('overrun_nano_usd')} AS overrun,
        ${exactSum("CASE WHEN money_status = 'settled' AND settled_nano_usd > 0 THEN reserved_nano_usd END")} AS estimated,
        ${tokens}, ${PERCENTILES} FROM ranked ${end}`;
    }
    case 'runs':
      return `SELECT group_key, count(*) AS runs, ${ENDS.map((status) => `${countOf(status)} AS ${column(status)}`).join(', ')},
        ${exactSum('limit_nano_usd')} AS limit_nano_usd FROM chosen ${end}`;
    case 'gates':
      return `${RANKED} SELECT group_key, count(*) AS gates, ${countOf('open')} AS open_gates, ${countOf('approved', 'consumed')} AS approved,
        ${countOf('denied')} AS denied, ${countOf('expired')} AS expired, ${PERCENTILES} FROM ranked ${end}`;
    case 'feedback':
      return `SELECT group_key, count(*) AS given, ${exactSum('score_per_mille')} AS score FROM chosen ${end}`;
  }
}

/** As text: the sum of many may be more than a number holds exactly. */
function exactSum(expression: string): string {
  return `CAST(coalesce(sum(${expression}), 0) AS TEXT)`;
}

function countOf(...statuses: readonly string[]): string {
  return `sum(CASE WHEN status IN (${statuses.map((status) => `'${status}'`).join(', ')}) THEN 1 ELSE 0 END)`;
}

const RANKED = `, ranked AS (SELECT chosen.*, row_number() OVER (PARTITION BY group_key, is_measured ORDER BY took_ms) AS place,
    count(*) OVER (PARTITION BY group_key, is_measured) AS many FROM chosen)`;
const PERCENTILES = [50, 95, 99]
  .map((percent) => `min(CASE WHEN is_measured = 1 AND place * 100 >= many * ${percent} THEN took_ms END) AS p${percent}`)
  .join(', ');

function column(field: string): string {
  return field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Puts the answers of the statements together. A group that one of them was cut off before is left out. */
export function toUsageReport(filter: UsageFilter, rows: Readonly<Partial<Record<Part, readonly Row[]>>>): UsageReport {
  const limit = listLimit(filter.limit);
  const lists = Object.values(rows).filter((list) => list !== undefined);
  const byKey = Object.fromEntries(Object.entries(rows).map(([part, list]) => [part, new Map(list.map((row) => [text(row, 'group_key'), row]))]));
  const keys = [...new Set(lists.flatMap((list) => list.map((row) => text(row, 'group_key'))))].sort(compareBytes);
  const complete = lists.filter((list) => list.length > limit).map((list) => text(list[limit - 1] ?? {}, 'group_key'));
  const last = complete.sort(compareBytes)[0];
  const shown = keys.filter((key) => last === undefined || compareBytes(key, last) <= 0).slice(0, limit);
  const row = (part: Part, key: string): Row => byKey[part]?.get(key) ?? {};
  const groups = shown.map((key): UsageGroup => {
    if (filter.by === 'model') return { key, attempts: toAttempts(row('attempts', key)), runs: null, gates: null, feedback: null };
    return {
      key,
      attempts: toAttempts(row('attempts', key)),
      runs: toRuns(row('runs', key)),
      gates: toGates(row('gates', key)),
      feedback: toFeedback(row('feedback', key)),
    };
  });
  return { groups, isMore: keys.length > shown.length };
}

function compareBytes(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other));
}

const number = (row: Row, name: string) => integerOrNull(row, name) ?? 0;
const exact = (row: Row, name: string) => (row[name] === undefined ? 0n : BigInt(text(row, name)));

function toAttempts(row: Row): AttemptUsage {
  return {
    attempts: number(row, 'attempts'),
    replies: number(row, 'replies'),
    fallbacks: number(row, 'fallbacks'),
    inFlight: number(row, 'in_flight'),
    money: {
      settledNanoUsd: exact(row, 'settled'),
      heldNanoUsd: exact(row, 'held'),
      writtenOffNanoUsd: exact(row, 'written_off'),
      overrunNanoUsd: exact(row, 'overrun'),
      estimatedNanoUsd: exact(row, 'estimated'),
    },
    tokens: Object.fromEntries(TOKENS.map((field) => [field, number(row, column(field))])) as AttemptUsage['tokens'],
    latency: toPercentiles(row),
  };
}

function toRuns(row: Row): RunUsage {
  const ended = Object.fromEntries(ENDS.map((status) => [status, number(row, column(status))])) as RunUsage['ended'];
  return { runs: number(row, 'runs'), ended, limitNanoUsd: exact(row, 'limit_nano_usd') };
}

function toGates(row: Row): GateUsage {
  return {
    gates: number(row, 'gates'),
    open: number(row, 'open_gates'),
    approved: number(row, 'approved'),
    denied: number(row, 'denied'),
    expired: number(row, 'expired'),
    wait: toPercentiles(row),
  };
}

function toFeedback(row: Row): FeedbackUsage {
  const count = number(row, 'given');
  return { count, meanScore: count === 0 ? null : number(row, 'score') / count / 1_000 };
}

function toPercentiles(row: Row): Percentiles | null {
  if (integerOrNull(row, 'p50') === null) return null;
  return { p50Ms: integer(row, 'p50'), p95Ms: integer(row, 'p95'), p99Ms: integer(row, 'p99') };
}
