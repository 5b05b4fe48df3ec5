import { TollgateError } from '../contracts/failures.ts';
import { formatUsd } from '../domain/budget/price.ts';
import { type Percentiles, REPORT_DIMENSIONS, type ReportDimension, type UsageGroup } from '../domain/report/store-port.ts';
import type { Store } from '../domain/store/port.ts';

const DAY_MS = 86_400_000;
const DEFAULT_DAYS = 30;
export const MAX_GROUPS = 1_000;

export interface UsageQuery {
  /** Default: `task`. */
  readonly by?: ReportDimension;
  /** ISO 8601, or how long ago, such as `7d` or `12h`. Default: 30 days before `to`. */
  readonly from?: string;
  /** Default: now. */
  readonly to?: string;
  readonly tenant?: string;
  /** At most this many groups. */
  readonly limit?: number;
}

export interface GateLine {
  readonly count: number;
  readonly open: number;
  readonly approved: number;
  readonly denied: number;
  readonly expired: number;
  readonly wait: Percentiles | null;
}

/** What was used by one task, tenant, day… Money as decimal strings of USD. */
export interface UsageLine {
  readonly key: string;
  readonly settledUsd: string;
  readonly heldUsd: string;
  readonly writtenOffUsd: string;
  readonly overrunUsd: string;
  /** What was reserved for the attempts that were charged, and how many times their charge that was. */
  readonly estimatedUsd: string;
  readonly estimateFactor: number | null;
  readonly tokens: {
    readonly input: number;
    readonly cachedInput: number;
    readonly cacheWrite: number;
    readonly output: number;
    readonly reasoning: number;
  };
  readonly attempts: {
    readonly count: number;
    readonly replies: number;
    readonly fallbacks: number;
    readonly inFlight: number;
    /** Usable replies of the attempts that ended; null where none has. */
    readonly successRate: number | null;
  };
  readonly latency: Percentiles | null;
  /** Null by model: a run has several. So are the two below. */
  readonly runs: {
    readonly count: number;
    readonly ended: Readonly<Record<string, number>>;
    /** Completed of those that ended; null where none has. */
    readonly successRate: number | null;
    readonly budgetUsd: string;
  } | null;
  readonly gates: GateLine | null;
  readonly feedback: { readonly count: number; readonly meanScore: number | null } | null;
}

export interface UsageView {
  readonly by: ReportDimension;
  readonly from: string;
  readonly to: string;
  readonly tenant: string | null;
  readonly total: UsageLine;
  /** Days in their order, the others by what they cost. */
  readonly groups: readonly UsageLine[];
  /** Whether there are more than `limit`: those that are not shown come later in the order of their names. */
  readonly isMore: boolean;
}

/** Adds up what was used, inside the store. @throws TollgateError `invalidInput`. */
export async function reportUsage(store: Store, { by = 'task', from, to, tenant, limit = MAX_GROUPS }: UsageQuery): Promise<UsageView> {
  if (!REPORT_DIMENSIONS.includes(by)) throw new TollgateError('invalidInput', `by: expected one of ${REPORT_DIMENSIONS.join(', ')}, saw "${by}".`);
  const nowMs = await store.nowMs();
  // What is reserved at this very moment is part of it.
  const toMs = to === undefined ? nowMs + 1 : momentOf('to', to, nowMs);
  const fromMs = from === undefined ? toMs - DEFAULT_DAYS * DAY_MS : momentOf('from', from, nowMs);
  if (fromMs >= toMs) throw new TollgateError('invalidInput', `from: it is ${iso(fromMs)}, and has to be before ${iso(toMs)}.`);
  const filter = { fromMs, toMs, ...(tenant === undefined ? {} : { tenant }) };
  const whole = await store.reportUsage({ ...filter, by: 'total', limit: 1 });
  const { groups, isMore } = await store.reportUsage({ ...filter, by, limit });
  const ordered = by === 'day' ? groups : groups.toSorted((one, other) => compareCost(other, one));
  const total = whole.groups[0] ?? NOTHING;
  return { by, from: iso(fromMs), to: iso(toMs), tenant: tenant ?? null, total: toLine(total), groups: ordered.map(toLine), isMore };
}

function compareCost(one: UsageGroup, other: UsageGroup): number {
  const difference = one.attempts.money.settledNanoUsd - other.attempts.money.settledNanoUsd;
  return difference > 0n ? 1 : difference < 0n ? -1 : 0;
}

const AGO = /^(\d{1,5})([mhd])$/;
const UNIT_MS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: DAY_MS };

function momentOf(name: string, given: string, nowMs: number): number {
  const ago = AGO.exec(given);
  if (ago) return nowMs - Number(ago[1]) * (UNIT_MS[ago[2] ?? ''] ?? 0);
  // Without a time zone a date is UTC, and a time would be this machine's.
  const at = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2}))?$/.test(given) ? Date.parse(given) : Number.NaN;
  if (Number.isNaN(at) || at < 0)
    throw new TollgateError(
      'invalidInput',
      `${name}: expected a day such as 2026-11-01, a moment such as 2026-11-01T08:00:00Z, or how long ago, such as 7d; saw "${given.slice(0, 60)}".`,
    );
  return at;
}

const NO_MONEY = { settledNanoUsd: 0n, heldNanoUsd: 0n, writtenOffNanoUsd: 0n, overrunNanoUsd: 0n, estimatedNanoUsd: 0n };
const NO_TOKENS = { inputTokens: 0, cachedInputTokens: 0, cacheWriteTokens: 0, outputTokens: 0, reasoningTokens: 0 };
const NO_ENDS = { completed: 0, budgetExhausted: 0, denied: 0, expired: 0, cancelled: 0, failed: 0 };
const NOTHING: UsageGroup = {
  key: '',
  attempts: { attempts: 0, replies: 0, fallbacks: 0, inFlight: 0, money: NO_MONEY, tokens: NO_TOKENS, latency: null },
  runs: { runs: 0, ended: NO_ENDS, limitNanoUsd: 0n },
  gates: { gates: 0, open: 0, approved: 0, denied: 0, expired: 0, wait: null },
  feedback: { count: 0, meanScore: null },
};

function toLine({ key, attempts, runs, gates, feedback }: UsageGroup): UsageLine {
  const { money, tokens } = attempts;
  return {
    key,
    settledUsd: formatUsd(money.settledNanoUsd),
    heldUsd: formatUsd(money.heldNanoUsd),
    writtenOffUsd: formatUsd(money.writtenOffNanoUsd),
    overrunUsd: formatUsd(money.overrunNanoUsd),
    estimatedUsd: formatUsd(money.estimatedNanoUsd),
    estimateFactor: ratio(Number(money.estimatedNanoUsd), Number(money.settledNanoUsd)),
    tokens: {
      input: tokens.inputTokens,
      cachedInput: tokens.cachedInputTokens,
      cacheWrite: tokens.cacheWriteTokens,
      output: tokens.outputTokens,
      reasoning: tokens.reasoningTokens,
    },
    attempts: {
      count: attempts.attempts,
      replies: attempts.replies,
      fallbacks: attempts.fallbacks,
      inFlight: attempts.inFlight,
      successRate: ratio(attempts.replies, attempts.attempts - attempts.inFlight),
    },
    latency: attempts.latency,
    runs: runs && { count: runs.runs, ended: { ...runs.ended }, successRate: successRate(runs.ended), budgetUsd: formatUsd(runs.limitNanoUsd) },
    gates: gates && { count: gates.gates, open: gates.open, approved: gates.approved, denied: gates.denied, expired: gates.expired, wait: gates.wait },
    feedback,
  };
}

function successRate(ended: Readonly<Record<string, number>>): number | null {
  const all = Object.values(ended).reduce((sum, count) => sum + count, 0);
  return ratio(ended.completed ?? 0, all);
}

/** To four places; null where there is nothing to divide by. */
function ratio(part: number, whole: number): number | null {
  return whole === 0 ? null : Math.round((part / whole) * 10_000) / 10_000;
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
