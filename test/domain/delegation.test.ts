import { describe, expect, test } from 'vitest';
import type { Decision } from '../../contracts/approval.ts';
import { DECISION_VALID_FOR_MS, decideForOthers, type ProvenDelegation, rolesOfVote } from '../../domain/approval/delegation.ts';
import { countApprovals, type GateRecord } from '../../domain/approval/gate.ts';
import { newDelegation, newStop } from '../support/store-contract/grant-contract.ts';
import { newGate, newVote, runKey } from '../support/store-contract/fixtures.ts';
import { stopOver } from '../../domain/approval/stop.ts';

const NOW = 1_800_000_000_000;
const proven = (change: Partial<ProvenDelegation> = {}): ProvenDelegation => ({ ...newDelegation(), signed: 'delegation.signature', ...change });
const gate = (change: Partial<GateRecord> = {}) =>
  newGate(runKey(), { policy: { approvers: 2, role: 'lead', expiresAfterMs: 60_000, approvalValidForMs: 60_000 }, requester: 'shop', ...change });
let nonce = 0;
function vote(
  at: GateRecord,
  approver: string,
  { roles = [] as string[], verdict = 'approve' as Decision['verdict'], nowMs = NOW + 1, delegations = [proven()], tenant = 'acme', byDefault = true } = {},
) {
  nonce += 1;
  const { approvalId, actionDigest } = at;
  const decision: Decision = {
    version: 1,
    ...at.runKey,
    approvalId,
    actionDigest,
    verdict,
    approver,
    roles,
    nonce: `nonce-${nonce}`,
    expiresAtMs: nowMs + DECISION_VALID_FOR_MS,
  };
  return decideForOthers(
    at,
    { decision, signedDecision: `${approver}-${nonce}.signature`, requesterMayDecideByDefault: byDefault },
    delegations,
    tenant,
    nowMs,
  );
}

describe('a decision for somebody who is away', () => {
  test('counts as holding the role, and says for whom', () => {
    const { gate: after, answer } = vote(gate(), 'bob');
    expect(answer).toMatchObject({ type: 'accepted', gateStatus: 'open' });
    expect(after?.votes).toMatchObject([{ approver: 'bob', onBehalfOf: 'alice', delegation: 'delegation.signature' }]);
  });

  test('is not made by one who holds the role: they decide for themselves', () => {
    expect(vote(gate(), 'bob', { roles: ['lead'] }).gate?.votes[0]).not.toHaveProperty('onBehalfOf');
  });

  test.each<[string, Parameters<typeof vote>[2]]>([
    ['before it begins', { nowMs: NOW - 1 }],
    ['at its end', { nowMs: NOW + 60_000 - 1, delegations: [proven({ untilMs: NOW + 59_999 })] }],
    ['of another tenant', { tenant: 'globex' }],
    ['of another role', { delegations: [proven({ role: 'cfo', roles: ['cfo'] })] }],
    ['of a role that the delegator does not hold', { delegations: [proven({ roles: ['intern'] })] }],
    ['to somebody else', { delegations: [proven({ to: 'carol' })] }],
    ['of themselves', { delegations: [proven({ delegator: 'bob' })] }],
    ['of one who asked for the run and may not decide', { delegations: [proven({ delegator: 'shop' })], byDefault: false }],
  ])('does not count under a delegation %s', (_why, options) => {
    expect(vote(gate({ expiresAtMs: NOW + 120_000 }), 'bob', options)).toMatchObject({ gate: null, answer: { type: 'refused', reason: 'wrongRole' } });
  });

  test('is the vote of both: neither votes again, nor does another delegate of the same person', () => {
    const after = vote(gate(), 'bob').gate ?? gate();
    const refused = { answer: { type: 'refused', reason: 'alreadyVoted' } };
    expect(vote(after, 'alice', { roles: ['lead'] })).toMatchObject(refused);
    expect(vote(after, 'carol', { delegations: [proven({ to: 'carol' })] })).toMatchObject(refused);
    // bob again, for somebody else or for himself
    expect(vote(after, 'bob', { delegations: [proven({ delegator: 'dora' })] }).gate).toBeNull();
    expect(vote(after, 'bob', { roles: ['lead'] }).gate).toBeNull();
    const own = vote(gate(), 'alice', { roles: ['lead'] }).gate ?? gate();
    expect(vote(own, 'bob')).toMatchObject(refused);
  });

  test('can be withdrawn, and then the other may vote', () => {
    const after = vote(gate(), 'bob').gate ?? gate();
    const withdrawn = vote(after, 'bob', { verdict: 'withdraw' }).gate;
    expect(withdrawn?.votes).toEqual([]);
    expect(vote(withdrawn ?? gate(), 'alice', { roles: ['lead'] }).answer).toMatchObject({ type: 'accepted' });
  });

  test('rows that name one person several times count once', () => {
    const votes = [
      newVote({ approver: 'bob', onBehalfOf: 'alice' }),
      newVote({ approver: 'alice' }),
      newVote({ approver: 'carol', onBehalfOf: 'bob' }),
      newVote({ approver: 'dora' }),
    ];
    expect(countApprovals(votes)).toBe(2);
  });
});

describe('the roles of a stored vote', () => {
  const decision = { approver: 'bob', roles: [] as string[], expiresAtMs: NOW + 1 + DECISION_VALID_FOR_MS } as unknown as Decision;
  const stored = newVote({ approver: 'bob', roles: ['lead'], onBehalfOf: 'alice', delegation: 'delegation.signature' });

  test('are those that the decision and a proven delegation sign, not those of the row', () => {
    expect(rolesOfVote(stored, decision, [proven()], 'acme')).toEqual(['lead']);
    expect(rolesOfVote(stored, decision, [], 'acme')).toEqual([]);
    expect(rolesOfVote(stored, decision, [proven({ signed: 'other.signature' })], 'acme')).toEqual([]);
    expect(rolesOfVote(stored, decision, [proven({ to: 'carol' })], 'acme')).toEqual([]);
    expect(rolesOfVote(stored, decision, [proven()], 'globex')).toEqual([]);
    expect(rolesOfVote({ ...stored, onBehalfOf: 'dora' }, decision, [proven()], 'acme')).toEqual([]);
  });

  test('are not those of a delegation that had ended when the decision was signed', () => {
    expect(rolesOfVote(stored, { ...decision, expiresAtMs: NOW + 60_001 + DECISION_VALID_FOR_MS }, [proven()], 'acme')).toEqual([]);
    expect(rolesOfVote(stored, decision, [proven({ fromMs: NOW + DECISION_VALID_FOR_MS + 2 })], 'acme')).toEqual([]);
  });
});

describe('a stop switch', () => {
  const work = { tool: 'pay', task: 'support', tenant: 'acme' };
  const none = () => false;
  test('holds what fits all that it names, and everything where it names nothing', () => {
    for (const scope of [{}, { tool: 'pay' }, { task: 'support' }, { tenant: 'acme' }, { tool: 'pay', tenant: 'acme' }])
      expect(stopOver([newStop(scope)], work, none)).not.toBeNull();
    for (const scope of [{ tool: 'refund' }, { task: 'sales' }, { tenant: 'globex' }, { tool: 'pay', tenant: 'globex' }])
      expect(stopOver([newStop(scope)], work, none)).toBeNull();
  });

  test('holds model calls only where it says so, and none by a tool', () => {
    const call = { ...work, tool: null };
    expect(stopOver([newStop({ tenant: 'acme' })], call, none)).toBeNull();
    expect(stopOver([newStop({ tenant: 'acme' }, { models: true })], call, none)).not.toBeNull();
    expect(stopOver([newStop({ tool: 'pay' }, { models: true })], call, none)).toBeNull();
  });

  test('that is lifted leaves the others holding', () => {
    const [lifted, other] = [newStop({ tool: 'pay' }), newStop({ tenant: 'acme' })];
    expect(stopOver([lifted, other], work, (stop) => stop === lifted)).toBe(other);
  });
});
