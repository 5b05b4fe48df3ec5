import type { LedgerTotals } from '../../contracts/budget.ts';
import type { QuotaRule } from '../../contracts/quota.ts';

/** A quota in the store. */
export interface QuotaRecord extends QuotaRule {
  readonly quotaId: string;
  /** Who set it: the configuration of a worker, or a command, which the configuration does not undo. */
  readonly source: 'config' | 'command';
  readonly setAtMs: number;
}

/** What was used of a quota in one window. Amounts are in the quota's unit, also where their names say nano-USD. */
export interface QuotaWindow {
  readonly quotaId: string;
  /** The tenant, where the quota is one for each. */
  readonly tenant: string | null;
  readonly startsAtMs: number;
  readonly endsAtMs: number;
  readonly totals: LedgerTotals;
}

export interface QuotaStore {
  /**
   * Sets what a tenant or feature may use per period in a unit; one that is there gets the new limit, at once and also for
   * the window under way. @throws TollgateError `invalidInput` where the store has as many quotas as it may.
   */
  setQuota(rule: QuotaRule, source: QuotaRecord['source']): Promise<QuotaRecord>;
  /** Makes the quotas of source `config` those of `rules`. Those set by a command stay as they are, also where a rule says otherwise. */
  syncQuotas(rules: readonly QuotaRule[]): Promise<void>;
  /** Takes a quota away; null where there is none. What was reserved in its windows is still settled there. */
  removeQuota(quotaId: string): Promise<QuotaRecord | null>;
  listQuotas(): Promise<readonly QuotaRecord[]>;
  /** Windows with use of one quota, or of all quotas at this moment (`quotaId` null), newest first. */
  listQuotaWindows(filter: { readonly quotaId: string | null; readonly limit: number }): Promise<readonly QuotaWindow[]>;
  /** Removes windows that are over for long; answers how many. */
  pruneQuotaWindows(): Promise<number>;
}
