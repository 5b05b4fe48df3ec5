import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type GatePolicy, gatePolicySchema } from '../../contracts/gate-policy.ts';
import type { JsonValue } from '../../contracts/json.ts';
import { allHold } from '../../domain/approval/conditions.ts';
import { askedOf, isStricter, strictest } from '../../domain/approval/policy.ts';
import { seatsFilled, seatsOf } from '../../domain/approval/quorum.ts';
import { holdsFor } from '../support/property.ts';

const role = fc.constantFrom('lead', 'finance', 'manager');
const quorum = fc.record({ role, approvers: fc.integer({ min: 1, max: 3 }) });
const limit = fc.record({ role, when: fc.constant([{ path: 'amount', operator: '<=' as const, value: 100 }]) });
const span = fc.integer({ min: 1_000, max: 5_000 });
const policy: fc.Arbitrary<GatePolicy> = fc
  .record(
    {
      ...{ approvers: fc.integer({ min: 1, max: 3 }), role, expiresAfterMs: span.map((ms) => ms + 5_000), approvalValidForMs: span },
      ...{ needs: fc.array(quorum, { maxLength: 2 }), limits: fc.array(limit, { maxLength: 2 }), escalateTo: fc.record({ role, afterMs: span }) },
      requesterMayDecide: fc.boolean(),
    },
    { requiredKeys: ['approvers', 'role', 'expiresAfterMs', 'approvalValidForMs'] },
  )
  .map((fields) => fields as unknown as GatePolicy);
const people = fc.array(fc.subarray(['lead', 'finance', 'manager', 'intern']), { maxLength: 6 });

describe('policies for the same action', () => {
  test('come together to one that is as strict as each, whatever they ask', () => {
    holdsFor(fc.tuple(policy, policy), ([one, other]) => {
      const both = strictest(one, other);
      for (const part of [one, other]) expect(isStricter(part, both, false), JSON.stringify([part, both])).toBe(false);
      expect(isStricter(one, one, false)).toBe(false);
      expect(isStricter(strictest(one, one), one, false)).toBe(false);
    });
  });

  test('whoever fills the seats of the stricter one fills those of the other', () => {
    holdsFor(fc.tuple(policy, policy, people), ([one, other, present]) => {
      const standing = (of: GatePolicy) => ({ policy: of, arguments: { amount: 1 }, isEscalated: false });
      const both = strictest(one, other);
      if (seatsFilled(present, standing(both)) < seatsOf(both)) return;
      expect(seatsFilled(present, standing(one))).toBe(seatsOf(one));
      expect(seatsFilled(present, standing(other))).toBe(seatsOf(other));
    });
  });
});

test('people fill as many seats as any way of seating them does, each person one', () => {
  holdsFor(fc.tuple(policy, people), ([{ limits: _limits, escalateTo: _escalate, ...asked }, present]) => {
    const seats = [{ role: asked.role, approvers: asked.approvers }, ...(asked.needs ?? [])].flatMap((of) => Array<string>(of.approvers).fill(of.role));
    const most = (left: readonly (readonly string[])[], free: readonly string[]): number => {
      const [person, ...rest] = left;
      if (!person) return 0;
      const taken = [...new Set(free)].filter((seat) => person.includes(seat)).map((seat) => 1 + most(rest, free.toSpliced(free.indexOf(seat), 1)));
      return Math.max(most(rest, free), ...taken);
    };
    expect(seatsFilled(present, { policy: asked, arguments: {}, isEscalated: false })).toBe(most(present, seats));
  });
});

describe('rules', () => {
  const base = gatePolicySchema.parse({ role: 'lead' });
  const asked = (rules: object[], args: JsonValue, tenant = 'acme') =>
    askedOf(gatePolicySchema.parse({ ...base, rules }), { tool: 'pay', tenant, arguments: args });
  const above = { when: { arguments: [{ path: 'amount', operator: '>', value: 100 }] }, approvers: 2 };

  test('apply by tool, tenant and arguments, later ones over earlier ones', () => {
    expect(asked([above], { amount: 100 }).policy.approvers).toBe(1);
    expect(asked([above], { amount: '100.01' }).policy.approvers).toBe(2);
    expect(asked([above, { when: { tenant: 'acme' }, approvers: 3 }], { amount: 500 }).policy.approvers).toBe(3);
    expect(
      asked(
        [
          { when: { tenant: 'other' }, approvers: 3 },
          { when: { tool: 'look' }, approvers: 4 },
        ],
        {},
      ).policy.approvers,
    ).toBe(1);
    expect(asked([above], { amount: 500 }).policy.rules).toBeUndefined();
  });

  test('ask for more and never for less where nobody can tell whether they apply', () => {
    for (const args of [{}, { amount: '⟦number:1⟧' }, { amount: 'lots' }, { amount: [500] }, []] as JsonValue[]) {
      expect(asked([above], args).policy.approvers, JSON.stringify(args)).toBe(2);
      const loosened = asked(
        [
          { ...above, approvers: 3 },
          { ...above, approvers: 1, role: 'intern' },
        ],
        args,
      ).policy;
      expect(isStricter({ ...base, approvers: 3 }, loosened, false), JSON.stringify(args)).toBe(false);
    }
  });

  test('that are only tried out change nothing and say what they would', () => {
    const { policy: enforced, tried } = asked([{ ...above, shadow: true }], { amount: 500 });
    expect([enforced.approvers, tried?.approvers]).toEqual([1, 2]);
    expect(asked([{ ...above, shadow: true }], { amount: 5 }).tried).toBeNull();
    expect(gatePolicySchema.safeParse({ ...base, shadow: true }).success, 'a whole policy is never only tried out').toBe(false);
  });

  test('look into lists and objects, and never throw whatever the arguments are', () => {
    const price = { path: 'items.*.price', operator: '>' as const, value: 10 };
    expect(allHold([price], { items: [{ price: 1 }, { price: 11 }] })).toBe('yes');
    expect(allHold([price], { items: [{ price: 1 }] })).toBe('no');
    expect(allHold([price], { items: [{ price: 1 }, {}] })).toBe('unknown');
    expect(allHold([{ path: 'region', operator: 'notIn', value: ['EU'] }], {})).toBe('yes');
    expect(allHold([{ path: '__proto__.x', operator: 'present' }], {})).toBe('no');
    const condition = fc.record({
      path: fc.constantFrom('a', 'a.b', 'a.*', '*.b'),
      operator: fc.constantFrom('>', '==', '!=', 'in', 'present'),
      value: fc.constant(1),
    });
    holdsFor(fc.tuple(condition, fc.jsonValue()), ([one, args]) => {
      expect(['yes', 'no', 'unknown']).toContain(allHold([one as never], args as JsonValue));
    });
  });
});

test('a policy that cannot be meant is refused with what to do', () => {
  const problems = (value: object) => gatePolicySchema.safeParse(value).error?.issues.map(({ message }) => message) ?? [];
  expect(problems({ expiresAfterMs: 2_000, escalateTo: { role: 'a', afterMs: 2_000 } })).toEqual([expect.stringMatching(/2 s is not shorter/)]);
  expect(problems({ rules: [{ when: {}, approvers: 2 }] })).toEqual([expect.stringMatching(/says when it applies/)]);
  const when = (condition: object) => problems({ rules: [{ when: { arguments: [condition] } }] });
  expect(when({ path: 'amount', operator: '>', value: 'x' })).toEqual([expect.stringMatching(/compares numbers/)]);
  expect(when({ path: 'amount', operator: 'in', value: 1 })).toEqual([expect.stringMatching(/takes a list/)]);
  expect(when({ path: 'amount', operator: '>' })).toEqual([expect.stringMatching(/Add "value"/)]);
});
