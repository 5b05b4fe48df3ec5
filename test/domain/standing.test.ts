import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { GatePolicy } from '../../contracts/approval.ts';
import type { StandingGrant, StandingTerms } from '../../contracts/statement.ts';
import { amountOf, microAmount } from '../../domain/approval/amount.ts';
import { type CoveredAction, coverageOf, type StandingState, standingPermits } from '../../domain/approval/standing.ts';
import { holdsFor } from '../support/property.ts';

const terms: StandingTerms = {
  tool: 'refund',
  tenant: 'acme',
  conditions: [
    { argument: 'customer', op: 'eq', value: 'C-17' },
    { argument: 'amount', op: 'atMost', value: 50 },
    { argument: 'currency', op: 'in', values: ['EUR', 'USD'] },
  ],
  free: ['note'],
  maxUses: 3,
  total: { argument: 'amount', atMost: 100 },
  untilMs: 1_000,
};
const action: CoveredAction = {
  tool: 'refund',
  tenant: 'acme',
  task: 'support',
  destination: 'http refund',
  arguments: { customer: 'C-17', amount: 12.5, currency: 'EUR', note: 'x' },
  volatile: [],
  occurrence: 0,
  requester: 'shop',
};
const withArguments = (change: CoveredAction['arguments']): CoveredAction => ({ ...action, arguments: { ...action.arguments, ...change } });

describe('what a standing approval covers', () => {
  test('is exactly what its terms say', () => {
    expect(coverageOf(terms, action)).toEqual({ type: 'covered', amountMicro: 12_500_000 });
    expect(coverageOf({ ...terms, task: 'support', destination: 'http refund' }, action)).toMatchObject({ type: 'covered' });
  });

  test.each<[string, CoveredAction, Partial<StandingTerms>]>([
    ['another tool', { ...action, tool: 'pay' }, {}],
    ['another tenant', { ...action, tenant: 'globex' }, {}],
    ['another task', action, { task: 'sales' }],
    ['another destination', action, { destination: 'http elsewhere' }],
    ['a repetition', { ...action, occurrence: 1 }, {}],
    ['another customer', withArguments({ customer: 'C-18' }), {}],
    ['a customer of another type', withArguments({ customer: ['C-17'] }), {}],
    ['more than the limit', withArguments({ amount: 50.01 }), {}],
    ['an amount below zero', withArguments({ amount: -1 }), {}],
    ['an amount that is no number', withArguments({ amount: '5e1' }), {}],
    ['an amount too fine to be counted', withArguments({ amount: 0.0000001 }), {}],
    ['a currency that is not among them', withArguments({ currency: 'GBP' }), {}],
    ['an argument that nothing is said about', withArguments({ account: 'X' }), {}],
    ['an argument named like what every object has', withArguments({ constructor: 'x' } as never), {}],
    ['a condition about what every object has', action, { conditions: [...terms.conditions, { argument: 'toString', op: 'eq', value: 'x' }] }],
  ])('does not include %s', (_what, asked, change) => {
    expect(coverageOf({ ...terms, ...change }, asked)).toMatchObject({ type: 'notCovered' });
  });

  test('includes volatile arguments, which bind no approval', () => {
    expect(coverageOf(terms, { ...withArguments({ trace: 'abc' }), volatile: ['trace'] })).toMatchObject({ type: 'covered' });
  });

  test('an amount in text counts like the number it writes', () => {
    expect(coverageOf(terms, withArguments({ amount: '12.50' }))).toEqual({ type: 'covered', amountMicro: 12_500_000 });
    for (const text of ['012', '1,5', ' 1', '0x10', '-1', '1.0000001', 'Infinity', '']) expect(microAmount(text)).toBeNull();
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, 1e10, null, true, [1]]) expect(microAmount(value as never)).toBeNull();
  });

  test('sums of amounts are exact', () => {
    holdsFor(fc.array(fc.integer({ min: 0, max: 1_000_000 }), { minLength: 1, maxLength: 50 }), (cents) => {
      const sum = cents.reduce((total, cent) => total + (microAmount(cent / 100) ?? Number.NaN), 0);
      expect(sum).toBe(cents.reduce((total, cent) => total + cent * 10_000, 0));
      expect(amountOf(sum)).toBeCloseTo(cents.reduce((total, cent) => total + cent, 0) / 100, 6);
    });
  });
});

const policy: GatePolicy = { approvers: 1, role: 'lead', expiresAfterMs: 1_000, approvalValidForMs: 1_000 };
const grant = (change: Partial<StandingGrant> = {}): StandingGrant => ({
  version: 1,
  statement: 'standingGrant',
  standingId: 's',
  terms,
  granter: 'alice',
  roles: ['lead'],
  issuedAtMs: 10,
  ...change,
});
const state = (change: Partial<StandingState> = {}): StandingState => ({
  record: { standingId: 's', terms, grants: [], createdAtMs: 10 },
  isRevoked: false,
  uses: 0,
  totalMicro: 0,
  ...change,
});
const rules = (change: object = {}) => ({ policies: [policy], requesterMayDecideByDefault: true, restoredAtMs: null, ...change });
const permits = (of: { state?: StandingState; grants?: readonly StandingGrant[]; rules?: object; nowMs?: number; action?: CoveredAction }) =>
  standingPermits(of.state ?? state(), of.grants ?? [grant()], of.action ?? action, rules(of.rules), of.nowMs ?? 500).type;

describe('a standing approval permits an action', () => {
  test('while somebody who may has signed it and there is room', () => {
    expect(standingPermits(state(), [grant()], action, rules(), 500)).toEqual({ type: 'permitted', amountMicro: 12_500_000, granters: ['alice'] });
    expect(permits({ state: state({ uses: 2, totalMicro: 87_500_000 }) })).toBe('permitted');
  });

  test.each<[string, Parameters<typeof permits>[0]]>([
    ['nobody signed', { grants: [] }],
    ['it is signed for other terms', { grants: [grant({ terms: { ...terms, maxUses: 4 } })] }],
    ['it is signed under another id', { grants: [grant({ standingId: 'other' })] }],
    ['the granter lacks the role', { grants: [grant({ roles: ['intern'] })] }],
    ['the granter lacks the role that a stricter policy asks for', { rules: { policies: [policy, { ...policy, role: 'cfo' }] } }],
    ['a policy asks for two and one signed', { rules: { policies: [policy, { ...policy, approvers: 2 }] } }],
    ['one person signed twice where two are asked for', { grants: [grant(), grant({ issuedAtMs: 11 })], rules: { policies: [{ ...policy, approvers: 2 }] } }],
    ['a policy forbids it', { rules: { policies: [policy, { ...policy, standing: false }] } }],
    ['a policy asks for several roles', { rules: { policies: [{ ...policy, needs: [{ role: 'cfo', approvers: 1 }] }] } }],
    ['a policy limits what a role may approve', { rules: { policies: [{ ...policy, limits: [{ role: 'lead', when: [] }] }] } }],
    ['the rules of a policy were not applied', { rules: { policies: [{ ...policy, rules: [{ when: { tool: 'refund' }, approvers: 2 }] }] } }],
    ['the granter asked for the run and may not decide', { grants: [grant({ granter: 'shop' })], rules: { requesterMayDecideByDefault: false } }],
    ['it was revoked', { state: state({ isRevoked: true }) }],
    ['it is over', { nowMs: 1_000 }],
    ['its count is used up', { state: state({ uses: 3 }) }],
    ['its total would be passed', { state: state({ totalMicro: 87_500_001 }) }],
    ['the store was restored since it was signed', { rules: { restoredAtMs: 10 } }],
    ['the action is another', { action: withArguments({ customer: 'C-18' }) }],
  ])('not where %s', (_why, of) => {
    expect(permits(of)).toBe('refused');
  });

  test('with two signatures of different people where two are asked for', () => {
    const grants = [grant(), grant({ granter: 'bob' })];
    expect(permits({ grants, rules: { policies: [{ ...policy, approvers: 2 }] } })).toBe('permitted');
  });
});
