import type { BreakerRecord } from '../domain/model/breaker-store-port.ts';
import { amountInUnit } from '../domain/quota/quota-spec.ts';
import type { QuotaRecord, QuotaWindow } from '../domain/quota/store-port.ts';
import type { Store } from '../domain/store/port.ts';

/** Use of one window, in the quota's unit: USD as decimal strings, tokens as whole numbers in text. */
export interface QuotaUseReport {
  /** Set where the quota is one for each tenant. */
  readonly tenant?: string;
  readonly from: string;
  readonly until: string;
  readonly settled: string;
  readonly held: string;
  readonly writtenOff: string;
  readonly overrun: string;
}

export interface QuotaReport {
  readonly quotaId: string;
  /** Null: all tenants together; `*`: each tenant by itself. */
  readonly tenant: string | null;
  readonly feature: string | null;
  readonly per: string;
  readonly unit: 'usd' | 'tokens';
  readonly limit: string;
  readonly source: string;
  readonly setAt: string;
  /** Windows with use: the one under way, or several of one quota, newest first. */
  readonly use: readonly QuotaUseReport[];
}

const MAX_WINDOWS = 1_000;

/** Every quota that a caller of `tenant` may know of (null: all), with what is used of it now. */
export async function reportQuotas(store: Store, tenant: string | null = null): Promise<QuotaReport[]> {
  const [quotas, windows] = await Promise.all([store.listQuotas(), store.listQuotaWindows({ quotaId: null, limit: MAX_WINDOWS })]);
  const visible = quotas.filter((quota) => tenant === null || quota.tenant === tenant || quota.tenant === '*');
  const isOf = (quota: QuotaRecord) => (window: QuotaWindow) => window.quotaId === quota.quotaId && (tenant === null || (window.tenant ?? tenant) === tenant);
  return visible.map((quota) => reportQuota(quota, windows.filter(isOf(quota))));
}

/** One quota with its windows, newest first; null where there is none of that id. */
export async function reportOneQuota(store: Store, quotaId: string): Promise<QuotaReport | null> {
  const quota = (await store.listQuotas()).find((candidate) => candidate.quotaId === quotaId);
  return quota ? reportQuota(quota, await store.listQuotaWindows({ quotaId, limit: 100 })) : null;
}

export function reportQuota({ quotaId, tenant, feature, per, unit, limit, source, setAtMs }: QuotaRecord, windows: readonly QuotaWindow[]): QuotaReport {
  const shown = (amount: number) => amountInUnit(unit, amount);
  return {
    quotaId,
    tenant,
    feature,
    per,
    unit: unit === 'nanoUsd' ? 'usd' : 'tokens',
    limit: shown(limit),
    source,
    setAt: iso(setAtMs),
    use: windows.map(({ totals, startsAtMs, endsAtMs, tenant: whose }) => ({
      ...(whose === null ? {} : { tenant: whose }),
      from: iso(startsAtMs),
      until: iso(endsAtMs),
      settled: shown(totals.settledNanoUsd),
      held: shown(totals.heldNanoUsd),
      writtenOff: shown(totals.writtenOffNanoUsd),
      overrun: shown(totals.overrunNanoUsd),
    })),
  };
}

export interface BreakerReport {
  readonly endpoint: string;
  readonly model: string;
  readonly status: 'closed' | 'open' | 'halfOpen';
  /** Failures in the window under way, while closed. */
  readonly failures?: number;
  /** The class of the failure that opened it, and when the next call may probe. */
  readonly reason?: string;
  readonly probeAfter?: string;
  readonly changedAt: string;
}

export function reportBreaker({ endpoint, model, state, changedAtMs }: BreakerRecord): BreakerReport {
  const common = { endpoint, model, status: state.status, changedAt: iso(changedAtMs) };
  if (state.status === 'closed') return { ...common, failures: state.failures };
  const probeAfterMs = state.status === 'open' ? state.openedAtMs + state.openForMs : state.probeUntilMs;
  return { ...common, reason: state.reason, probeAfter: iso(probeAfterMs) };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
