import type { LedgerTotals, NanoUsd, ScopeKind } from '../../contracts/budget.ts';
import type { QuotaUnit } from '../../contracts/quota.ts';
import type { TokenUsage } from '../../contracts/model.ts';
import { addDelta, applyLedgerEvent, fits, type LedgerDelta, type LedgerEvent, nanoUsd, reservationDelta } from '../../domain/budget/ledger.ts';
import { bindingQuotas, denialOf, EACH_TENANT, quotaKind, type QuotaWindowSpan, windowAt } from '../../domain/quota/quota.ts';
import type { QuotaRecord } from '../../domain/quota/store-port.ts';
import type { AttemptRecord, NewAttempt, Rejection } from '../../domain/store/port.ts';
import { integer, type Row, text, toTotals } from './rows.ts';

/** What both stores do with the locked scopes of an attempt. A scope counts money or tokens, by its `unit`. */

export interface QuotaWindowRow extends QuotaWindowSpan {
  readonly kind: 'tenant' | 'feature';
  readonly scopeKey: string;
  readonly quota: QuotaRecord;
}

/** The windows that a reservation at `nowMs` falls into, in the order in which they are locked. */
export function windowsOf(quotas: readonly QuotaRecord[], tenant: string, feature: string, nowMs: number): QuotaWindowRow[] {
  return bindingQuotas(quotas, tenant, feature)
    .toSorted((a, b) => Number(a.quotaId) - Number(b.quotaId))
    .map((quota) => {
      const span = windowAt(quota.per, nowMs);
      const whose = quota.tenant === EACH_TENANT ? `@${tenant}` : '';
      return { ...span, kind: quotaKind(quota), scopeKey: `${quota.quotaId}@${span.startsAtMs}${whose}`, quota };
    });
}

/** A locked scope with what the attempt takes of it. */
export interface Draw {
  readonly row: Row;
  readonly kind: ScopeKind;
  readonly unit: QuotaUnit;
  /** Its limit is the quota's as it is now, not as it was when the window began. */
  readonly totals: LedgerTotals;
  readonly amount: NanoUsd;
  /** What must stay free beside the amount. */
  readonly setAside: NanoUsd;
  readonly window?: QuotaWindowRow;
}

export function drawOf(row: Row, kind: ScopeKind, attempt: NewAttempt, window?: QuotaWindowRow): Draw {
  const unit = text(row, 'unit') as QuotaUnit;
  const totals = toTotals(row);
  return {
    row,
    kind,
    unit,
    totals: window ? { ...totals, limitNanoUsd: nanoUsd(window.quota.limit) } : totals,
    amount: nanoUsd(unit === 'tokens' ? attempt.reservedTokens : attempt.reservedNanoUsd),
    setAside: nanoUsd(setAsideOf(row, kind, unit, attempt)),
    ...(window ? { window } : {}),
  };
}

/** A run keeps its own last answer free, and a child the one that its parent set aside. */
function setAsideOf(row: Row, kind: ScopeKind, unit: QuotaUnit, attempt: NewAttempt): number {
  if (kind === 'run') return unit === 'tokens' ? attempt.setAsideTokens : attempt.setAsideNanoUsd;
  return kind === 'parent' ? integer(row, 'set_aside') : 0;
}

const NEARNESS: readonly ScopeKind[] = ['run', 'parent', 'tenant', 'feature'];

/** The rejection by the nearest scope that the attempt does not fit into; null where it fits into all. */
export function rejectionOf(draws: readonly Draw[], attempt: NewAttempt, nowMs: number): Rejection | null {
  const full = draws
    .filter(({ totals, amount, setAside }) => !fits(totals, amount, setAside))
    .toSorted((a, b) => NEARNESS.indexOf(a.kind) - NEARNESS.indexOf(b.kind))[0];
  if (!full) return null;
  const { row, kind, unit, totals, amount, setAside, window } = full;
  const own = kind === 'run';
  const aside = (inUnit: QuotaUnit, ofAttempt: number) => (unit === inUnit ? setAside : own ? ofAttempt : 0);
  return {
    type: 'rejected',
    scope: kind,
    scopeId: text(row, 'scope_key'),
    unit,
    totals,
    neededNanoUsd: nanoUsd(attempt.reservedNanoUsd + aside('nanoUsd', attempt.setAsideNanoUsd)),
    neededTokens: attempt.reservedTokens + aside('tokens', attempt.setAsideTokens),
    ...(window ? { quota: denialOf(window.quota, totals, amount, window, nowMs) } : {}),
  };
}

/** A scope's totals after the reservation, and what a run has set aside in its own scope from now on. */
export function afterReservation({ totals, amount, kind, setAside }: Draw): { readonly totals: LedgerTotals; readonly setAside: number | null } {
  return { totals: addDelta(totals, reservationDelta(amount)), setAside: kind === 'run' ? setAside : null };
}

/**
 * How a scope in tokens moves with `event`, which has just moved the attempt's money. Without usage a charge counts as all
 * the tokens that were reserved, and no charge as none.
 */
export function tokenDelta({ money, reservedTokens, usage: known }: AttemptRecord, event: LedgerEvent, usage: TokenUsage | undefined): LedgerDelta | null {
  const entry = { status: money.status, reservedNanoUsd: nanoUsd(reservedTokens), settledNanoUsd: null };
  const transition = applyLedgerEvent(
    entry,
    event.type === 'settle' ? { type: 'settle', costNanoUsd: tokensUsed(event, usage ?? known, reservedTokens) } : event,
  );
  return transition.type === 'changed' ? transition.delta : null;
}

function tokensUsed({ costNanoUsd }: Extract<LedgerEvent, { type: 'settle' }>, usage: TokenUsage | null, reservedTokens: number): NanoUsd {
  if (usage) return nanoUsd(usage.inputTokens + usage.outputTokens);
  return nanoUsd(costNanoUsd === 0 ? 0 : reservedTokens);
}

/** Whether the attempt's row names the scope, and no row beside it: windows are removed when they are over for long. */
export function isMeter({ unit, window }: Draw): boolean {
  return unit === 'tokens' || window !== undefined;
}

/** The meters among the scopes as an attempt's row keeps them; null where there are none. */
export function meterScopesOf(draws: readonly Draw[]): string | null {
  return (
    draws
      .filter(isMeter)
      .map(({ row }) => integer(row, 'id'))
      .join(',') || null
  );
}

/** Ids of scopes as an attempt's row keeps them. */
export function scopeIds(row: Row): number[] {
  const listed = row.meter_scopes;
  return typeof listed === 'string' && listed !== '' ? listed.split(',').map(Number) : [];
}
