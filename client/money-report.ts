import type { BoundFactor, HeldAttempt, OpenMoney } from '../domain/budget/held-store-port.ts';
import { formatUsd } from '../domain/budget/price.ts';

/** An attempt whose money is held, for people and programs. Times in ISO 8601, money as decimal strings of USD. */
export interface HeldReport {
  readonly attemptId: string;
  readonly agentRunId: string;
  readonly firstExecutionRunId: string;
  readonly tenant: string;
  readonly task: string;
  readonly step: number;
  readonly model: string;
  readonly provider: string;
  readonly endpoint: string;
  readonly heldUsd: string;
  readonly reservedAt: string;
  /** What the run was told of it; null where a sender may still be at work. */
  readonly outcome: string | null;
  /** What the provider's records last answered; null where nobody has asked yet. */
  readonly lookup: { readonly lookedAt: string; readonly looks: number; readonly nextAt: string; readonly answer: string } | null;
  /** Its place in the list: `cursor` of the next page. */
  readonly cursor: number;
}

export interface OpenMoneyReport {
  readonly held: { readonly attempts: number; readonly usd: string; readonly oldestReservedAt: string | null };
  readonly writtenOff: { readonly attempts: number; readonly usd: string };
  readonly overruns: { readonly attempts: number; readonly usd: string };
}

/** A model's bound that overruns have raised. */
export interface BoundReport {
  readonly model: string;
  readonly endpoint: string;
  /** The bound is multiplied by it. */
  readonly factor: number;
  readonly raises: number;
  readonly changedAt: string;
}

export function reportHeld({ attempt, tenant, task, lookup, cursor }: HeldAttempt): HeldReport {
  const { attemptId, runKey, step, model, provider, endpoint, reservedNanoUsd, reservedAtMs, outcome } = attempt;
  return {
    attemptId,
    ...runKey,
    tenant,
    task,
    step,
    model,
    provider,
    endpoint,
    heldUsd: formatUsd(reservedNanoUsd),
    reservedAt: iso(reservedAtMs),
    outcome: outcome === null ? null : outcome.type === 'reply' ? 'ok' : outcome.verdict.class,
    lookup: lookup && { lookedAt: iso(lookup.lookedAtMs), looks: lookup.looks, nextAt: iso(lookup.nextAtMs), answer: lookup.answer },
    cursor,
  };
}

export function reportOpenMoney({ held, writtenOff, overruns }: OpenMoney): OpenMoneyReport {
  const { oldestReservedAtMs } = held;
  return {
    held: { attempts: held.attempts, usd: formatUsd(held.nanoUsd), oldestReservedAt: oldestReservedAtMs === null ? null : iso(oldestReservedAtMs) },
    writtenOff: { attempts: writtenOff.attempts, usd: formatUsd(writtenOff.nanoUsd) },
    overruns: { attempts: overruns.attempts, usd: formatUsd(overruns.nanoUsd) },
  };
}

export function reportBound({ model, endpoint, perMille, raises, changedAtMs }: BoundFactor): BoundReport {
  return { model, endpoint, factor: perMille / 1_000, raises, changedAt: iso(changedAtMs) };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
