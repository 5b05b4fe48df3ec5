import type { LedgerTotals } from '../../contracts/budget.ts';
import type { QuotaDenial, QuotaPeriod, QuotaRule } from '../../contracts/quota.ts';
import { formatUsd } from '../budget/price.ts';

/** `tenant` of a quota that every tenant has for itself. */
export const EACH_TENANT = '*';

/** No store keeps more quotas than this: each reservation reads those of its tenant and feature. */
export const MAX_QUOTAS = 1_000;

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** How long a window is kept after its end, for people to look at and for charges that come late. */
const KEPT_MS: Readonly<Record<QuotaPeriod, number>> = { minute: 2 * 60 * MINUTE_MS, day: 62 * DAY_MS, month: 400 * DAY_MS };

export interface QuotaWindowSpan {
  readonly startsAtMs: number;
  readonly endsAtMs: number;
  readonly keptUntilMs: number;
}

/** The window that a moment falls into, by UTC. A reservation counts in the window of its own moment, whenever it is settled. */
export function windowAt(per: QuotaPeriod, nowMs: number): QuotaWindowSpan {
  const { startsAtMs, endsAtMs } = spanAt(per, nowMs);
  return { startsAtMs, endsAtMs, keptUntilMs: endsAtMs + KEPT_MS[per] };
}

function spanAt(per: QuotaPeriod, nowMs: number): Pick<QuotaWindowSpan, 'startsAtMs' | 'endsAtMs'> {
  if (per === 'month') {
    const date = new Date(nowMs);
    const monthAt = (ahead: number) => Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + ahead, 1);
    return { startsAtMs: monthAt(0), endsAtMs: monthAt(1) };
  }
  const length = per === 'minute' ? MINUTE_MS : DAY_MS;
  const startsAtMs = Math.floor(nowMs / length) * length;
  return { startsAtMs, endsAtMs: startsAtMs + length };
}

/**
 * Those of `quotas` that bind a run of `tenant` with `feature`. A quota for each tenant gives way to the tenant's own of the
 * same feature, period and unit.
 */
export function bindingQuotas<Quota extends QuotaRule>(quotas: readonly Quota[], tenant: string, feature: string): Quota[] {
  const matching = quotas.filter(
    (quota) => (quota.tenant === null || quota.tenant === EACH_TENANT || quota.tenant === tenant) && (quota.feature === null || quota.feature === feature),
  );
  const isOwn = (quota: Quota, other: Quota) =>
    other !== quota && other.tenant === tenant && other.feature === quota.feature && other.per === quota.per && other.unit === quota.unit;
  return matching.filter((quota) => quota.tenant !== EACH_TENANT || !matching.some((other) => isOwn(quota, other)));
}

export function quotaKind({ feature }: Pick<QuotaRule, 'feature'>): QuotaDenial['kind'] {
  return feature === null ? 'tenant' : 'feature';
}

/** A quota in words: `tenant acme, feature chat: 5.00 USD a day`. */
export function describeQuota(quota: QuotaRule): string {
  return `${describeSubject(quota)}: ${describeAmount(quota)} a ${quota.per}`;
}

export function describeSubject({ tenant, feature }: Pick<QuotaRule, 'tenant' | 'feature'>): string {
  const whose = tenant === null ? [] : [tenant === EACH_TENANT ? 'each tenant' : `tenant ${tenant}`];
  return [...whose, ...(feature === null ? [] : [`feature ${feature}`])].join(', ');
}

export function describeAmount({ unit, limit }: Pick<QuotaRule, 'unit' | 'limit'>): string {
  return unit === 'nanoUsd' ? `${formatUsd(limit)} USD` : `${limit} tokens`;
}

/** What is said of a reservation of `needed` that did not fit into the window `span` of `quota`, which stood at `totals`. */
export function denialOf(quota: QuotaRule, totals: LedgerTotals, needed: number, { endsAtMs }: Pick<QuotaWindowSpan, 'endsAtMs'>, nowMs: number): QuotaDenial {
  const everFits = needed <= quota.limit;
  return {
    kind: quotaKind(quota),
    name: describeQuota(quota),
    freesInMs: everFits ? Math.max(0, endsAtMs - nowMs) : null,
    freesAtMs: everFits ? endsAtMs : null,
    isHeld: totals.settledNanoUsd + totals.writtenOffNanoUsd + needed <= quota.limit,
  };
}

const FIRST_LOOK_MS = 1_000;
const LAST_LOOK_MS = 30_000;
/** Runs that wait for the same window begin within this time of its start, and not all at once. */
const SPREAD_MS = 2_000;

/**
 * How long to wait after a denial before the next try, in milliseconds; null where waiting is of no use within `leftMs`.
 * Where calls in flight hold what is missing, the wait is short and grows; else it is until the window ends. `jitter` in
 * [0, 1) spreads runs that wait for the same.
 */
export function waitForQuota(denial: QuotaDenial, tries: number, leftMs: number, jitter: number): number | null {
  const { freesInMs, isHeld } = denial;
  if (freesInMs === null) return null;
  const untilFree = freesInMs + Math.ceil(jitter * SPREAD_MS);
  const soon = Math.round(Math.min(LAST_LOOK_MS, FIRST_LOOK_MS * 2 ** Math.min(tries - 1, 10)) * (0.75 + jitter / 2));
  const waitMs = isHeld ? Math.min(soon, untilFree) : untilFree;
  return waitMs <= leftMs ? waitMs : null;
}
