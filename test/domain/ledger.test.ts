import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { LedgerTotals, NanoUsd } from '../../contracts/budget.ts';
import {
  addDelta,
  applyLedgerEvent,
  emptyLedger,
  fits,
  type LedgerEntry,
  type LedgerEvent,
  nanoUsd,
  remainingNanoUsd,
  reservationDelta,
} from '../../domain/budget/ledger.ts';
import { holdsFor } from '../support/property.ts';

const usd = (value: number) => value as NanoUsd;
const held = (reserved: number): LedgerEntry => ({ status: 'held', reservedNanoUsd: usd(reserved), settledNanoUsd: null });

/** One scope and its attempts, moved as the store moves them. */
class Scope {
  totals: LedgerTotals;
  readonly entries: LedgerEntry[] = [];
  constructor(limit: number) {
    this.totals = emptyLedger(usd(limit));
  }
  reserve(amount: number, setAside = 0): boolean {
    if (!fits(this.totals, usd(amount), usd(setAside))) return false;
    this.totals = addDelta(this.totals, reservationDelta(usd(amount)));
    this.entries.push(held(amount));
    return true;
  }
  apply(index: number, event: LedgerEvent): 'changed' | 'unchanged' {
    const transition = applyLedgerEvent(this.entries[index] as LedgerEntry, event);
    if (transition.type === 'changed') {
      this.entries[index] = transition.entry;
      this.totals = addDelta(this.totals, transition.delta);
    }
    return transition.type;
  }
  sum(status: LedgerEntry['status']): number {
    const amountOf = ({ settledNanoUsd, reservedNanoUsd }: LedgerEntry) => (status === 'settled' ? (settledNanoUsd ?? Number.NaN) : reservedNanoUsd);
    return this.entries.filter((entry) => entry.status === status).reduce((total, entry) => total + amountOf(entry), 0);
  }
  get used(): number {
    return this.totals.settledNanoUsd + this.totals.heldNanoUsd + this.totals.writtenOffNanoUsd;
  }
}

const money = fc.nat({ max: 400 });
const event = fc.oneof(
  money.map((cost): LedgerEvent => ({ type: 'settle', costNanoUsd: usd(cost) })),
  fc.constantFrom<LedgerEvent>({ type: 'release' }, { type: 'writeOff' }),
);
/** Reservations, and events of whichever attempt, in any order. */
const move = fc.oneof(
  fc.record({ type: fc.constant('reserve' as const), amount: money, setAside: fc.nat({ max: 100 }) }),
  fc.record({ type: fc.constant('event' as const), attempt: fc.nat({ max: 20 }), event }),
);
/** A limit of a few reservations, so that most histories meet it. */
const history = fc.record({ limit: fc.nat({ max: 600 }), moves: fc.array(move, { maxLength: 40 }) });

interface History {
  readonly limit: number;
  readonly moves: readonly (
    | { readonly type: 'reserve'; readonly amount: number; readonly setAside: number }
    | { readonly type: 'event'; readonly attempt: number; readonly event: LedgerEvent }
  )[];
}

/** Plays a history and looks at the scope after every move. */
function play({ limit, moves }: History, look: (scope: Scope) => void): void {
  const scope = new Scope(limit);
  for (const each of moves) {
    if (each.type === 'reserve') scope.reserve(each.amount, each.setAside);
    else if (scope.entries.length > 0) scope.apply(each.attempt % scope.entries.length, each.event);
    look(scope);
  }
}

test('whatever happens, the totals are integers, never negative, and add up from the attempts', () => {
  holdsFor(history, (example) =>
    play(example, (scope) => {
      for (const amount of Object.values(scope.totals)) expect(Number.isSafeInteger(amount) && amount >= 0).toBe(true);
      expect(scope.totals).toMatchObject({
        settledNanoUsd: scope.sum('settled'),
        heldNanoUsd: scope.sum('held'),
        writtenOffNanoUsd: scope.sum('writtenOff'),
      });
    }),
  );
});

test('settled, held and written off never exceed the limit by more than providers charged beyond their bounds', () => {
  holdsFor(history, (example) => play(example, (scope) => expect(scope.used).toBeLessThanOrEqual(example.limit + scope.totals.overrunNanoUsd)));
});

const attempt = fc.record({ reserved: money, wasSent: fc.boolean(), share: fc.double({ min: 0, max: 1, noNaN: true }), writeOffFirst: fc.boolean() });

test("within the bounds, the provider's bill lies between what is settled and all that is promised, and the limit holds", () => {
  holdsFor(fc.record({ limit: fc.nat({ max: 2_000 }), attempts: fc.array(attempt), order: fc.infiniteStream(fc.nat()) }), ({ limit, attempts, order }) => {
    const scope = new Scope(limit);
    const sent: { index: number; bill: number; events: LedgerEvent[] }[] = [];
    for (const { reserved, wasSent, share, writeOffFirst } of attempts) {
      if (!scope.reserve(reserved)) continue;
      const bill = wasSent ? Math.floor(reserved * share) : 0;
      const known: LedgerEvent = wasSent ? { type: 'settle', costNanoUsd: usd(bill) } : { type: 'release' };
      sent.push({ index: scope.entries.length - 1, bill, events: writeOffFirst ? [{ type: 'writeOff' }, known] : [known] });
    }
    const billed = sent.reduce((total, { bill }) => total + bill, 0);
    for (let left = sent; left.length > 0; left = left.filter(({ events }) => events.length > 0)) {
      expect(scope.totals.settledNanoUsd).toBeLessThanOrEqual(billed);
      expect(scope.used).toBeGreaterThanOrEqual(billed);
      expect(scope.used).toBeLessThanOrEqual(limit);
      const next = left[(order.next().value ?? 0) % left.length];
      if (next) scope.apply(next.index, next.events.shift() as LedgerEvent);
    }
    expect(scope.totals).toMatchObject({ settledNanoUsd: billed, heldNanoUsd: 0, overrunNanoUsd: 0 });
  });
});

test('an attempt ends once: a charge is final, and before it only what was held can end without one', () => {
  holdsFor(fc.record({ reserved: money, events: fc.array(event, { maxLength: 8 }) }), ({ reserved, events }) => {
    const scope = new Scope(reserved);
    scope.reserve(reserved);
    const path = ['held'];
    for (const each of events) {
      if (scope.apply(0, each) === 'changed') path.push((scope.entries[0] as LedgerEntry).status);
      const after = scope.totals;
      expect(scope.apply(0, each)).toBe('unchanged');
      expect(scope.totals).toBe(after);
    }
    expect(path.join(' ')).toMatch(/^held( released| writtenOff)?( settled)?$/);
    const charge = events.find(({ type }) => type === 'settle');
    expect(scope.totals.settledNanoUsd).toBe(charge?.type === 'settle' ? charge.costNanoUsd : 0);
  });
});

test('what is told of different attempts may come in any order', () => {
  const told = fc.array(fc.record({ attempt: fc.nat({ max: 4 }), event }), { maxLength: 12 });
  const ofAttempt = (events: readonly { attempt: number; event: LedgerEvent }[], index: number) => events.filter(({ attempt: of }) => of === index);
  holdsFor(told, (events) => {
    const totalsAfter = (order: typeof events) => {
      const scope = new Scope(1_000);
      for (let index = 0; index < 5; index += 1) scope.reserve(200);
      for (const each of order) scope.apply(each.attempt, each.event);
      return scope.totals;
    };
    expect(totalsAfter([4, 2, 0, 1, 3].flatMap((index) => ofAttempt(events, index)))).toEqual(totalsAfter(events));
  });
});

test('contradictions are told, repetitions are not', () => {
  const settled: LedgerEntry = { status: 'settled', reservedNanoUsd: usd(100), settledNanoUsd: usd(40) };
  expect(applyLedgerEvent(settled, { type: 'settle', costNanoUsd: usd(40) })).toEqual({ type: 'unchanged', conflict: null });
  for (const contradiction of [{ type: 'settle', costNanoUsd: usd(41) }, { type: 'release' }, { type: 'writeOff' }] as const)
    expect(applyLedgerEvent(settled, contradiction)).toMatchObject({ type: 'unchanged', conflict: expect.stringContaining('settled') });
});

test('a late charge is an overrun by what no reservation covers any more', () => {
  const overrunOf = (status: LedgerEntry['status'], cost: number) => {
    const transition = applyLedgerEvent({ ...held(100), status }, { type: 'settle', costNanoUsd: usd(cost) });
    return transition.type === 'changed' ? transition.delta.overrunNanoUsd : null;
  };
  expect([overrunOf('held', 100), overrunOf('held', 130)]).toEqual([0, 30]);
  expect([overrunOf('writtenOff', 100), overrunOf('writtenOff', 130)]).toEqual([0, 30]);
  expect([overrunOf('released', 0), overrunOf('released', 60)]).toEqual([0, 60]);
});

test('after a reservation, what was set aside is still free; exactly what is left fits, and one more does not', () => {
  holdsFor(fc.record({ limit: money, first: money, amount: money, setAside: money }), ({ limit, first, amount, setAside }) => {
    const scope = new Scope(limit);
    scope.reserve(first);
    const free = remainingNanoUsd(scope.totals);
    expect(fits(scope.totals, free)).toBe(true);
    expect(fits(scope.totals, usd(free + 1))).toBe(false);
    const isReserved = scope.reserve(amount, setAside);
    expect(isReserved).toBe(amount + setAside <= free);
    if (isReserved) expect(remainingNanoUsd(scope.totals)).toBeGreaterThanOrEqual(setAside);
  });
});

test('an amount that is not a non-negative safe integer is neither money nor a charge', () => {
  const impossible = fc.oneof(
    fc.double().filter((value) => !Number.isSafeInteger(value) || value < 0),
    fc.integer({ max: -1 }),
  );
  holdsFor(impossible, (value) => {
    expect(() => nanoUsd(value)).toThrow('non-negative safe integer');
    expect(() => applyLedgerEvent(held(100), { type: 'settle', costNanoUsd: usd(value) })).toThrow('non-negative safe integer');
  });
});
