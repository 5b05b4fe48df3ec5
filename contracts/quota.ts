import type { ScopeKind } from './budget.ts';

/** How long a window of a quota is: a minute, a day or a month of UTC. */
export type QuotaPeriod = 'minute' | 'day' | 'month';

/** What a quota counts: money, or tokens of input and output together. */
export type QuotaUnit = 'nanoUsd' | 'tokens';

/** How much the runs of a tenant, of a feature, or of a tenant's feature may use in each window. */
export interface QuotaRule {
  /** The tenant; `*` for each tenant by itself, where it has no quota of its own of that kind; null for all tenants together. */
  readonly tenant: string | null;
  /** The feature; null for every feature together. */
  readonly feature: string | null;
  readonly per: QuotaPeriod;
  readonly unit: QuotaUnit;
  /** Nano-USD or tokens. */
  readonly limit: number;
}

/** Why a reservation was denied, where it was a quota: which one, and when it frees. */
export interface QuotaDenial {
  readonly kind: Extract<ScopeKind, 'tenant' | 'feature'>;
  /** For people: `tenant acme: 5.00 USD a day`. */
  readonly name: string;
  /** How long until the window ends, in milliseconds; null where the call alone is more than a whole window allows. */
  readonly freesInMs: number | null;
  /** The same as a moment, on the store's clock. */
  readonly freesAtMs: number | null;
  /** True where it would fit if what is held came to nothing: it may fit as soon as calls in flight are settled. */
  readonly isHeld: boolean;
}
