import type { GatePolicy } from '../../contracts/gate-policy.ts';

/** What a policy of the simulation asks, in its own words: the oracle reads these, the product the policy made of them. */
export interface Wish {
  readonly leads: number;
  readonly finance: number;
  /** Above this amount one lead more. */
  readonly moreAbove: number | null;
  /** The most that a lead may approve. */
  readonly leadLimit: number | null;
  readonly escalateAfterMs: number | null;
  readonly requesterMay: boolean;
  readonly validForMs: number;
}

export const PEOPLE = {
  alice: ['lead'],
  bob: ['lead', 'finance'],
  carol: ['lead'],
  dave: ['finance'],
  erin: ['manager'],
  mallory: ['intern'],
} as const satisfies Record<string, readonly string[]>;
export type Person = keyof typeof PEOPLE;

export function policyOf({ leads, finance, moreAbove, leadLimit, escalateAfterMs, requesterMay, validForMs }: Wish): GatePolicy {
  return {
    approvers: leads,
    role: 'lead',
    expiresAfterMs: 1_000,
    approvalValidForMs: validForMs,
    ...(finance > 0 ? { needs: [{ role: 'finance', approvers: finance }] } : {}),
    ...(leadLimit === null ? {} : { limits: [{ role: 'lead', when: [{ path: 'amount', operator: '<=' as const, value: leadLimit }] }] }),
    ...(escalateAfterMs === null ? {} : { escalateTo: { role: 'manager', afterMs: escalateAfterMs } }),
    requesterMayDecide: requesterMay,
    ...(moreAbove === null ? {} : { rules: [{ when: { arguments: [{ path: 'amount', operator: '>' as const, value: moreAbove }] }, approvers: leads + 1 }] }),
  };
}

/** What people were shown under a digest, and since when. */
export interface Shown {
  readonly amount: number;
  readonly sinceMs: number;
  readonly askedFor: ReadonlySet<string>;
}

/**
 * Whether these people together are a quorum for what was shown, by all of `wishes`. Written for the six people here, by trying
 * every way to seat them, and sharing nothing with the product.
 */
export function isQuorum(wishes: readonly Wish[], approvers: readonly Person[], shown: Shown, nowMs: number): boolean {
  const mayRequester = wishes.every(({ requesterMay }) => requesterMay);
  const able = [...new Set(approvers)].filter((person) => mayRequester || !shown.askedFor.has(person));
  const leads = Math.max(...wishes.map((wish) => wish.leads + (wish.moreAbove !== null && shown.amount > wish.moreAbove ? 1 : 0)));
  const finance = Math.max(...wishes.map((wish) => wish.finance));
  const isTooMuch = wishes.some(({ leadLimit }) => leadLimit !== null && shown.amount > leadLimit);
  const isEscalated = wishes.every(({ escalateAfterMs }) => escalateAfterMs !== null && nowMs >= shown.sinceMs + escalateAfterMs);
  const fits = (person: Person, seat: 'lead' | 'finance'): boolean => {
    const roles: readonly string[] = PEOPLE[person];
    return (roles.includes(seat) && !(seat === 'lead' && isTooMuch)) || (isEscalated && roles.includes('manager'));
  };
  const seat = (people: readonly Person[], leadSeats: number, financeSeats: number): boolean => {
    if (leadSeats <= 0 && financeSeats <= 0) return true;
    const [person, ...rest] = people;
    if (person === undefined) return false;
    if (leadSeats > 0 && fits(person, 'lead') && seat(rest, leadSeats - 1, financeSeats)) return true;
    if (financeSeats > 0 && fits(person, 'finance') && seat(rest, leadSeats, financeSeats - 1)) return true;
    return seat(rest, leadSeats, financeSeats);
  };
  return seat(able, leads, finance);
}
