import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Decision, GateStatus, Verdict } from '../../contracts/approval.ts';
import { close, countApprovals, type DecisionTransition, decide, type GateRecord, holdsRole, isProven, permits } from '../../domain/approval/gate.ts';
import { holdsFor } from '../support/property.ts';
import { approvedGate, newGate, newVote, runKey } from '../support/store-contract/fixtures.ts';

const SHOWN = 'b'.repeat(64);
const OTHER = 'c'.repeat(64);
const ROLES = { alice: ['lead'], bob: ['lead', 'clerk'], carol: ['lead'], dave: ['clerk'], developer: ['*'] } as const;
const FOLLOWERS: Readonly<Record<GateStatus, readonly GateStatus[]>> = {
  open: ['approved', 'denied', 'expired', 'withdrawn', 'superseded'],
  approved: ['open', 'consumed', 'withdrawn', 'superseded'],
  consumed: [],
  denied: [],
  expired: [],
  withdrawn: [],
  superseded: [],
};

type Person = keyof typeof ROLES;
type Move =
  | { readonly type: 'decide'; readonly who: Person; readonly verdict: Verdict; readonly digest: string; readonly validForMs: number }
  | { readonly type: 'sendAgain'; readonly index: number }
  | { readonly type: 'wait'; readonly ms: number }
  | { readonly type: 'close'; readonly status: 'expired' | 'withdrawn' | 'superseded' }
  | { readonly type: 'consume'; readonly digest: string };

interface Story {
  readonly policy: { readonly approvers: number; readonly role: string; readonly requesterMayDecide?: boolean; readonly byDefault: boolean };
  readonly moves: readonly Move[];
}

const mostly = <T>(usual: T, rare: T) => fc.oneof({ weight: 9, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constant(rare) });
const person = fc.constantFrom<Person>('alice', 'bob', 'carol', 'dave', 'developer');
const verdict = fc.constantFrom<Verdict>('approve', 'approve', 'approve', 'withdraw', 'deny');
const move: fc.Arbitrary<Move> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ type: fc.constant('decide'), who: person, verdict, digest: mostly(SHOWN, OTHER), validForMs: mostly(1_000, 0) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('sendAgain'), index: fc.nat({ max: 20 }) }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('wait'), ms: fc.nat({ max: 600 }) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('close'), status: fc.constantFrom('expired', 'withdrawn', 'superseded') }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('consume'), digest: mostly(SHOWN, OTHER) }) },
);
const policy = fc.record(
  { approvers: fc.integer({ min: 1, max: 3 }), role: fc.constant('lead'), requesterMayDecide: fc.boolean(), byDefault: fc.boolean() },
  { requiredKeys: ['approvers', 'role', 'byDefault'] },
);
const story: fc.Arbitrary<Story> = fc.record({ policy, moves: fc.array(move, { maxLength: 30 }) });

/** One gate with its store and its people. A signed decision is its JSON, so what it proves can be read back. */
class Stage {
  gate: GateRecord;
  nowMs = 1_000;
  readonly requesterMayDecide: boolean;
  readonly sent: string[] = [];
  readonly changedBy: string[] = [];
  readonly byDefault: boolean;
  constructor({ byDefault, ...rest }: Story['policy']) {
    this.byDefault = byDefault;
    this.requesterMayDecide = rest.requesterMayDecide ?? byDefault;
    this.gate = newGate(runKey(), { policy: { ...rest, expiresAfterMs: 1_000, approvalValidForMs: 300 }, createdAtMs: 1_000, expiresAtMs: 2_000 });
  }
  sign({ who, verdict: said, digest, validForMs }: Move & { type: 'decide' }): string {
    const { runKey: key, approvalId } = this.gate;
    const named = { version: 1, ...key, approvalId, actionDigest: digest, verdict: said, approver: who, roles: [...ROLES[who]] };
    this.sent.push(`${JSON.stringify({ ...named, nonce: String(this.sent.length), expiresAtMs: this.nowMs + validForMs })}.signature`);
    return this.sent.at(-1) as string;
  }
  send(signedDecision: string): DecisionTransition {
    const transition = decide(this.gate, { decision: read(signedDecision), signedDecision, requesterMayDecideByDefault: this.byDefault }, this.nowMs);
    if (transition.gate) this.changedBy.push(signedDecision);
    this.gate = transition.gate ?? this.gate;
    return transition;
  }
  /** As a worker consumes that computed `digest` itself. */
  consume(digest: string): boolean {
    const proven = this.gate.votes.filter((vote) => read(vote.signedDecision).actionDigest === digest);
    if (permits(this.gate, proven, this.nowMs).type === 'refused') return false;
    this.gate = { ...this.gate, status: 'consumed', consumedAtMs: this.nowMs };
    return true;
  }
  play(next: Move): void {
    if (next.type === 'decide') this.send(this.sign(next));
    else if (next.type === 'sendAgain' && this.sent.length > 0) this.send(this.sent[next.index % this.sent.length] as string);
    else if (next.type === 'wait') this.nowMs += next.ms;
    else if (next.type === 'close') this.gate = close(this.gate, next.status, this.nowMs) ?? this.gate;
    else if (next.type === 'consume') this.consume(next.digest);
  }
}
const read = (signedDecision: string) => JSON.parse(signedDecision.slice(0, -'.signature'.length)) as Decision;

function tell({ policy: of, moves }: Story, look: (stage: Stage, before: GateRecord, last: Move) => void): void {
  const stage = new Stage(of);
  for (const next of moves) {
    const before = stage.gate;
    stage.play(next);
    look(stage, before, next);
  }
}

test('whoever decides, withdraws or closes in whatever order, a gate goes only where it may, and an ended one stays as it is', () => {
  holdsFor(story, (example) =>
    tell(example, ({ gate, nowMs }, before) => {
      if (gate.status === 'expired') expect(nowMs).toBeGreaterThanOrEqual(gate.expiresAtMs);
      if (gate.status !== before.status) expect(FOLLOWERS[before.status], `from ${before.status}`).toContain(gate.status);
      if (FOLLOWERS[before.status].length === 0) expect(gate).toBe(before);
      const { actionDigest, arguments: args, runKey: key, approvalId, policy: of, expiresAtMs } = before;
      expect(gate).toMatchObject({ actionDigest, arguments: args, runKey: key, approvalId, policy: of, expiresAtMs });
    }),
  );
});

test('a gate is approved exactly while enough different people who may decide have approved what it shows, and nobody denied', () => {
  holdsFor(story, (example) =>
    tell(example, ({ gate, requesterMayDecide }) => {
      expect(new Set(gate.votes.map(({ approver }) => approver)).size).toBe(gate.votes.length);
      for (const vote of gate.votes) {
        expect(holdsRole(ROLES[vote.approver as Person], 'lead')).toBe(true);
        expect(vote.approver !== gate.requester || requesterMayDecide).toBe(true);
        expect(read(vote.signedDecision)).toMatchObject({ actionDigest: gate.actionDigest, approver: vote.approver, verdict: vote.verdict });
      }
      const approvals = gate.votes.filter((vote) => vote.verdict === 'approve').length;
      if (gate.status === 'open') expect(approvals).toBeLessThan(gate.policy.approvers);
      if (gate.status === 'approved' || gate.status === 'consumed') expect(approvals).toBeGreaterThanOrEqual(gate.policy.approvers);
      expect(gate.votes.some((vote) => vote.verdict === 'deny')).toBe(gate.status === 'denied');
    }),
  );
});

test('a vote counts only if it came before the gate expired and before its own signature did', () => {
  holdsFor(story, (example) =>
    tell(example, ({ gate, nowMs }, before) => {
      for (const vote of gate.votes.filter((candidate) => !before.votes.includes(candidate))) {
        expect(vote.atMs).toBe(nowMs);
        expect(nowMs).toBeLessThan(gate.expiresAtMs);
        expect(nowMs).toBeLessThan(read(vote.signedDecision).expiresAtMs);
      }
    }),
  );
});

test('an action is permitted only if its digest is the approved one, in time, and once', () => {
  let permitted = 0;
  holdsFor(story, (example) =>
    tell(example, ({ gate, nowMs }, before, last) => {
      if (gate.status !== 'consumed' || before.status === 'consumed') return;
      permitted += 1;
      expect(before.status).toBe('approved');
      expect(last).toEqual({ type: 'consume', digest: gate.actionDigest });
      expect(nowMs).toBeLessThan((before.decidedAtMs ?? 0) + before.policy.approvalValidForMs);
    }),
  );
  expect(permitted, 'stories that come to the action').toBeGreaterThan(0);
});

test('a signed decision changes a gate at most once, however often and by whomever it is sent again', () => {
  holdsFor(story, ({ policy: of, moves }) => {
    const stage = new Stage(of);
    for (const next of moves) {
      stage.play(next);
      for (const signed of stage.sent) expect(stage.send(signed).answer.gateStatus).toBe(stage.gate.status);
      expect(new Set(stage.changedBy).size).toBe(stage.changedBy.length);
    }
  });
});

test('an approval may be used until its time is over, and not at that moment', () => {
  const gate = approvedGate(runKey(), { decidedAtMs: 1_000 });
  const { approvalValidForMs } = gate.policy;
  expect(permits(gate, gate.votes, 1_000 + approvalValidForMs - 1).type).toBe('permitted');
  expect(permits(gate, gate.votes, 1_000 + approvalValidForMs)).toMatchObject({ type: 'refused', gateStatus: 'expired' });
});

test('an approval is too old by its signatures, whatever its row says', () => {
  const gate = approvedGate(runKey(), { decidedAtMs: 1_000 });
  const { approvalValidForMs } = gate.policy;
  const votes = gate.votes.map((vote) => ({ ...vote, signedUntilMs: 1_500 }));
  const young = { ...gate, decidedAtMs: 1_000_000_000 };
  expect(permits(young, votes, 1_500 + approvalValidForMs - 1).type).toBe('permitted');
  expect(permits(young, votes, 1_500 + approvalValidForMs)).toMatchObject({ type: 'refused', gateStatus: 'expired' });
  // The newest one counts: a quorum may take its time.
  const late = [...votes, newVote({ approver: 'carol' })].map((vote, index) => ({ ...vote, signedUntilMs: 1_500 + index * 60_000 }));
  expect(permits({ ...gate, decidedAtMs: 61_000 }, late, 61_000 + approvalValidForMs - 1).type).toBe('permitted');
});

test('the row alone is no authority: an approved gate whose votes prove nothing permits nothing', () => {
  const gate = approvedGate(runKey(), { policy: { approvers: 2, role: 'lead', expiresAfterMs: 1_000, approvalValidForMs: 1_000 }, decidedAtMs: 0 });
  const [bob, carol, dave] = (['bob', 'carol', 'dave'] as const).map((approver) => newVote({ approver, roles: ROLES[approver] })) as [never, never, never];
  expect(permits(gate, [bob, carol], 1).type).toBe('permitted');
  for (const proven of [[], [bob], [bob, bob], [bob, dave], [bob, carol, newVote({ approver: 'developer', verdict: 'deny' })]])
    expect(permits(gate, proven, 1).type).toBe('refused');
  expect(countApprovals([bob, bob])).toBe(1);
});

test('a row that asks for no approval at all permits nothing and proves nothing without a valid vote', () => {
  const gate = approvedGate(runKey(), { policy: { approvers: 0, role: 'approver', expiresAfterMs: 1_000, approvalValidForMs: 1_000_000_000_000_000 } });
  expect(permits(gate, [], 1)).toMatchObject({ type: 'refused' });
  expect(isProven(gate, [], 1)).toBe(false);
  expect(isProven(gate, [newVote()], 1)).toBe(true);
  expect(isProven(gate, [newVote({ roles: ['intern'] })], 1)).toBe(false);
  expect(isProven(gate, [newVote(), newVote({ approver: 'carol', verdict: 'deny' })], 1)).toBe(false);
});
