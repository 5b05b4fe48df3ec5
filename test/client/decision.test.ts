import { expect, test } from 'vitest';
import { exitCodeOfDecision, exitCodeOfRun } from '../../client/cli/exit-code.ts';
import { settled, toDecisionRequest } from '../../client/decision.ts';
import type { Decision } from '../../contracts/approval.ts';
import type { ActionDigest, AgentRunId, ApprovalId } from '../../contracts/ids.ts';
import type { GateRecord } from '../../domain/approval/gate.ts';

const digest = 'a'.repeat(64);
const decision = {
  runKey: { agentRunId: 'run' as AgentRunId, firstExecutionRunId: 'first' },
  approvalId: 'gate' as ApprovalId,
  actionDigest: digest as ActionDigest,
  verdict: 'approve',
} as const;
const alice = { name: 'alice', roles: ['support-lead'] };

test('what is signed names the run, the gate, the action, the person and a moment after which it no longer counts', () => {
  const signed: Decision[] = [];
  const signer = {
    signStatement: () => '',
    sign: (what: Decision) => {
      signed.push(what);
      return 'body.signature';
    },
  };
  expect(toDecisionRequest({ ...decision, comment: 'ok' }, alice, signer, 1_000)).toEqual({
    approvalId: 'gate',
    actionDigest: digest,
    verdict: 'approve',
    comment: 'ok',
    signedDecision: 'body.signature',
  });
  expect(signed[0]).toMatchObject({ agentRunId: 'run', firstExecutionRunId: 'first', approver: 'alice', roles: ['support-lead'], expiresAtMs: 601_000 });
});

test('two decisions are never the same bytes', () => {
  const signer = { signStatement: () => '', sign: (what: Decision) => what.nonce };
  const nonce = () => toDecisionRequest(decision, alice, signer, 1_000).signedDecision;
  expect(nonce()).not.toBe(nonce());
});

test('without a signer the decision goes unsigned', () => {
  expect(toDecisionRequest(decision, alice, undefined, 1_000)).toEqual({ approvalId: 'gate', actionDigest: digest, verdict: 'approve' });
});

const closed = { type: 'refused', reason: 'closed', gateStatus: null, message: 'ended' } as const;
const gate = { actionDigest: digest, status: 'consumed', votes: [{ approver: 'alice', verdict: 'approve' }] } as unknown as GateRecord;

test('the same decision after the run went on gets the same answer', () => {
  expect(settled(closed, { verdict: 'approve', digest, approver: 'alice' }, gate)).toMatchObject({ type: 'accepted', gateStatus: 'consumed' });
});

test.each([
  ['another person', { verdict: 'approve', digest, approver: 'bob' }],
  ['another verdict', { verdict: 'deny', digest, approver: 'alice' }],
  ['another digest', { verdict: 'approve', digest: 'b'.repeat(64), approver: 'alice' }],
] as const)('%s is still told that the gate is closed', (_name, other) => {
  expect(settled(closed, other, gate)).toEqual({ ...closed, gateStatus: 'consumed' });
});

test('exit codes say done, refused and inconclusive', () => {
  expect(exitCodeOfDecision({ type: 'accepted', gateStatus: 'approved', message: '' })).toBe(0);
  expect(exitCodeOfDecision(closed)).toBe(1);
  expect(exitCodeOfDecision({ type: 'undecided', message: '' })).toBe(3);
  expect(exitCodeOfRun('completed')).toBe(0);
  expect(['denied', 'failed', 'budgetExhausted', 'cancelled', 'expired'].map(exitCodeOfRun)).toEqual([1, 1, 1, 1, 1]);
});
