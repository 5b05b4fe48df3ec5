import { invariant } from '../../contracts/failures.ts';
import type { AttemptMoneyStatus, LedgerTotals, NanoUsd } from '../../contracts/budget.ts';

/** The money of one attempt. `settled` is null until the provider's charge is known. */
export interface LedgerEntry {
  readonly status: AttemptMoneyStatus;
  readonly reservedNanoUsd: NanoUsd;
  readonly settledNanoUsd: NanoUsd | null;
}

/**
 * What became known of an attempt's money.
 * `settle`: the provider's charge, also zero. `release`: it was never sent. `writeOff`: a person gave the hold up.
 * There is no event for "unknown": an unknown outcome leaves the money held.
 */
export type LedgerEvent = { readonly type: 'settle'; readonly costNanoUsd: NanoUsd } | { readonly type: 'release' } | { readonly type: 'writeOff' };

/** How a scope's totals change. Applied to every scope of the attempt in the same transaction as the entry. */
export interface LedgerDelta {
  readonly settledNanoUsd: number;
  readonly heldNanoUsd: number;
  readonly writtenOffNanoUsd: number;
  readonly overrunNanoUsd: number;
}

export type LedgerTransition =
  | { readonly type: 'changed'; readonly entry: LedgerEntry; readonly delta: LedgerDelta }
  /** The event was known already, or it contradicts a final state; nothing changes. */
  | { readonly type: 'unchanged'; readonly conflict: string | null };

/** Checks that `value` is an amount of nano-USD that can be added up without loss. @throws TollgateError otherwise. */
export function nanoUsd(value: number): NanoUsd {
  invariant(Number.isSafeInteger(value) && value >= 0, `an amount of money is a non-negative safe integer of nano-USD, not ${value}`);
  return value as NanoUsd;
}

export const ZERO_NANO_USD = 0 as NanoUsd;

/** A fresh ledger under `limitNanoUsd`. */
export function emptyLedger(limitNanoUsd: NanoUsd): LedgerTotals {
  return {
    limitNanoUsd,
    settledNanoUsd: ZERO_NANO_USD,
    heldNanoUsd: ZERO_NANO_USD,
    writtenOffNanoUsd: ZERO_NANO_USD,
    overrunNanoUsd: ZERO_NANO_USD,
  };
}

/** What a reservation may still take, in nano-USD; zero once an overrun has eaten the rest. */
export function remainingNanoUsd(totals: LedgerTotals): NanoUsd {
  const used = totals.settledNanoUsd + totals.heldNanoUsd + totals.writtenOffNanoUsd;
  return nanoUsd(Math.max(0, totals.limitNanoUsd - used));
}

/**
 * Whether `amountNanoUsd` fits into a scope, with `setAsideNanoUsd` left over for a last answer.
 * This is the rule that the store's reservation applies to every scope in one transaction.
 */
export function fits(totals: LedgerTotals, amountNanoUsd: NanoUsd, setAsideNanoUsd: NanoUsd = ZERO_NANO_USD): boolean {
  return amountNanoUsd + setAsideNanoUsd <= remainingNanoUsd(totals);
}

/** The change of a scope's totals by a new reservation. */
export function reservationDelta(amountNanoUsd: NanoUsd): LedgerDelta {
  return { settledNanoUsd: 0, heldNanoUsd: amountNanoUsd, writtenOffNanoUsd: 0, overrunNanoUsd: 0 };
}

/**
 * Moves the money of one attempt. Idempotent: the same event twice changes nothing the second time.
 * A charge that turns up after a write-off or a release is settled all the same, because the provider billed it;
 * what no reservation covered is an overrun. @throws TollgateError where the charge is no amount of nano-USD.
 */
export function applyLedgerEvent(entry: LedgerEntry, event: LedgerEvent): LedgerTransition {
  switch (event.type) {
    case 'settle':
      return settle(entry, nanoUsd(event.costNanoUsd));
    case 'release':
      if (entry.status === 'released') return unchanged();
      if (entry.status !== 'held') return unchanged(`a ${entry.status} attempt can't be released`);
      return changed({ ...entry, status: 'released' }, { heldNanoUsd: -entry.reservedNanoUsd });
    case 'writeOff':
      if (entry.status === 'writtenOff') return unchanged();
      if (entry.status !== 'held') return unchanged(`a ${entry.status} attempt can't be written off`);
      return changed({ ...entry, status: 'writtenOff' }, { heldNanoUsd: -entry.reservedNanoUsd, writtenOffNanoUsd: entry.reservedNanoUsd });
  }
}

function settle(entry: LedgerEntry, costNanoUsd: NanoUsd): LedgerTransition {
  if (entry.status === 'settled') {
    const conflict = entry.settledNanoUsd === costNanoUsd ? null : `settled at ${entry.settledNanoUsd} already, now told ${costNanoUsd}`;
    return { type: 'unchanged', conflict };
  }
  const covered = entry.status === 'released' ? 0 : entry.reservedNanoUsd;
  return changed(
    { ...entry, status: 'settled', settledNanoUsd: costNanoUsd },
    {
      settledNanoUsd: costNanoUsd,
      heldNanoUsd: entry.status === 'held' ? -entry.reservedNanoUsd : 0,
      writtenOffNanoUsd: entry.status === 'writtenOff' ? -entry.reservedNanoUsd : 0,
      overrunNanoUsd: Math.max(0, costNanoUsd - covered),
    },
  );
}

/** `totals` after `delta`. @throws TollgateError when an amount would go below zero. */
export function addDelta(totals: LedgerTotals, delta: LedgerDelta): LedgerTotals {
  return {
    limitNanoUsd: totals.limitNanoUsd,
    settledNanoUsd: nanoUsd(totals.settledNanoUsd + delta.settledNanoUsd),
    heldNanoUsd: nanoUsd(totals.heldNanoUsd + delta.heldNanoUsd),
    writtenOffNanoUsd: nanoUsd(totals.writtenOffNanoUsd + delta.writtenOffNanoUsd),
    overrunNanoUsd: nanoUsd(totals.overrunNanoUsd + delta.overrunNanoUsd),
  };
}

function changed(entry: LedgerEntry, delta: Partial<LedgerDelta>): LedgerTransition {
  return { type: 'changed', entry, delta: { settledNanoUsd: 0, heldNanoUsd: 0, writtenOffNanoUsd: 0, overrunNanoUsd: 0, ...delta } };
}

function unchanged(conflict: string | null = null): LedgerTransition {
  return { type: 'unchanged', conflict };
}
