import { formatUsd, parseUsd } from '../budget/price.ts';
import type { QuotaPeriod, QuotaRule } from '../../contracts/quota.ts';

/** A quota as people write it, in a configuration or at the command line. */
export interface QuotaSpec {
  /** The tenant; `*` for each tenant by itself; left out: all tenants together, which needs a feature. */
  readonly tenant?: string | undefined;
  /** The feature; left out: every feature together, which needs a tenant. */
  readonly feature?: string | undefined;
  /** UTC minutes, days or months. */
  readonly per: QuotaPeriod;
  /** Either an amount in USD, */
  readonly usd?: number | string | undefined;
  /** or tokens of input and output together. */
  readonly tokens?: number | undefined;
}

const PERIODS: readonly string[] = ['minute', 'day', 'month'];
const MAX_TOKENS = 1_000_000_000_000;

export type ReadQuota = { readonly type: 'quota'; readonly rule: QuotaRule } | { readonly type: 'problem'; readonly message: string };

/** Checks a quota; a problem says what to write instead. */
export function readQuota({ tenant, feature, per, usd, tokens }: QuotaSpec): ReadQuota {
  if (tenant === undefined && feature === undefined)
    return problem('it names neither a tenant nor a feature. Say whose it is: tenant: "acme", tenant: "*" for each tenant, or feature: "chat".');
  for (const [name, value] of Object.entries({ tenant, feature }))
    if (value !== undefined && (value.trim() === '' || value.length > 100))
      return problem(`${name}: expected a name of 1 to 100 characters, saw ${JSON.stringify(value.slice(0, 60))}.`);
  if (!PERIODS.includes(per)) return problem(`per: expected "minute", "day" or "month", saw ${JSON.stringify(per)}.`);
  if ((usd === undefined) === (tokens === undefined))
    return problem('it has to say exactly one of usd (an amount such as 5) and tokens (such as 200000). Write two quotas to limit both.');
  const whose = { tenant: tenant ?? null, feature: feature ?? null, per };
  if (usd !== undefined) {
    const limit = parseUsd(String(usd));
    return limit === null
      ? problem(`usd: expected an amount in USD with at most nine decimal places, such as 5 or 0.25, saw ${JSON.stringify(usd)}.`)
      : { type: 'quota', rule: { ...whose, unit: 'nanoUsd', limit } };
  }
  if (!Number.isSafeInteger(tokens) || tokens === undefined || tokens < 0 || tokens > MAX_TOKENS)
    return problem(`tokens: expected a whole number up to ${MAX_TOKENS}, saw ${JSON.stringify(tokens)}.`);
  return { type: 'quota', rule: { ...whose, unit: 'tokens', limit: tokens } };
}

function problem(message: string): ReadQuota {
  return { type: 'problem', message };
}

/** An amount of a quota's unit as it is shown and written: USD as a decimal string, tokens as they are. */
export function amountInUnit(unit: QuotaRule['unit'], amount: number): string {
  return unit === 'nanoUsd' ? formatUsd(amount) : String(amount);
}
