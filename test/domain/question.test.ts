import { describe, expect, test } from 'vitest';
import type { OpenGate, RunPosition } from '../../contracts/agent-run.ts';
import type { Question } from '../../contracts/statement.ts';
import { questionHead, setAnswered, startPosition } from '../../domain/agent-run/position.ts';
import { CLAIM_FOR_MS, claimAt, release, take } from '../../domain/approval/claim.ts';
import { objectionToPart } from '../../domain/approval/delegation.ts';
import { decide, type GateRecord } from '../../domain/approval/gate.ts';
import { answered, ask, MAX_QUESTIONS_PER_GATE, questionText } from '../../domain/approval/question.ts';
import { objectionToQuestion, readQuestionRequest } from '../../domain/approval/question-guard.ts';
import { newDelegation } from '../support/store-contract/grant-contract.ts';
import { newGate, newVote, runKey } from '../support/store-contract/fixtures.ts';

const NOW = 1_800_000_000_000;
const gate = (change: Partial<GateRecord> = {}) =>
  newGate(runKey(), {
    policy: { approvers: 1, role: 'lead', expiresAfterMs: 60_000, approvalValidForMs: 60_000 },
    requester: 'shop',
    status: 'open',
    votes: [],
    expiresAtMs: NOW + 60_000,
    ...change,
  });
const person = (name = 'alice', change: object = {}) => ({
  name,
  roles: ['lead'],
  delegations: [],
  tenant: 'acme',
  requesterMayDecideByDefault: false,
  ...change,
});
const question = (of: GateRecord, change: Partial<Question> = {}): Question => ({
  version: 1,
  statement: 'question',
  questionId: 'q1',
  ...of.runKey,
  approvalId: of.approvalId,
  actionDigest: of.actionDigest,
  text: 'why?',
  asker: 'alice',
  roles: ['lead'],
  expiresAtMs: NOW + 1_000,
  ...change,
});
const asking = (of: GateRecord, change: Partial<Question> = {}, asker = person(change.asker ?? 'alice'), nowMs = NOW) =>
  ask(of, { question: question(of, change), text: 'why?', asker }, nowMs);
const asked = (of = gate()) => asking(of).gate as GateRecord;
const words = { type: 'answered', text: 'approved', model: 'gpt-5-mini', attemptId: 'a1' as never } as const;

describe('a question', () => {
  test('stands at its gate and changes nothing else of it', () => {
    const of = gate();
    const { gate: after, answer } = asking(of);
    expect(answer).toMatchObject({ type: 'accepted', questionId: 'q1', gateStatus: 'open' });
    expect(after).toEqual({ ...of, questions: [{ questionId: 'q1', by: 'alice', text: 'why?', atMs: NOW, actionDigest: of.actionDigest }] });
  });

  test('sent twice is one question; one of somebody else under its id is none', () => {
    const once = asked();
    expect(asking(once)).toMatchObject({ gate: null, answer: { type: 'accepted' } });
    expect(asking(once, { asker: 'bob' })).toMatchObject({ gate: null, answer: { type: 'refused', reason: 'malformed' } });
  });

  test.each<[string, Partial<GateRecord>, Partial<Question>, string, object?, number?]>([
    ['of another role', {}, {}, 'wrongRole', { roles: ['intern'] }],
    ['of nobody’s role', {}, {}, 'wrongRole', { roles: [] }],
    ['of one who asked for the run', { requester: 'alice' }, {}, 'requesterMayNotDecide'],
    ['for another gate', {}, { approvalId: 'other' }, 'unknownGate'],
    ['for another run', {}, { agentRunId: 'other' }, 'unknownGate'],
    ['for another execution', {}, { firstExecutionRunId: 'other' }, 'unknownGate'],
    ['about what the gate no longer shows', {}, { actionDigest: 'f'.repeat(64) }, 'wrongDigest'],
    ['at a gate that is approved', { status: 'approved' }, {}, 'closed'],
    ['at a gate that is over', { expiresAtMs: NOW }, {}, 'expired'],
    ['signed too long ago', {}, { expiresAtMs: NOW }, 'expired'],
  ])('%s is refused', (_what, ofGate, ofQuestion, reason, who = {}) => {
    const transition = asking(gate(ofGate), ofQuestion, person('alice', who));
    expect(transition).toMatchObject({ gate: null, answer: { type: 'refused', reason } });
  });

  test('is one of so many at a gate', () => {
    let of = gate();
    for (let count = 0; count < MAX_QUESTIONS_PER_GATE; count += 1) of = asking(of, { questionId: `q${count}` }).gate as GateRecord;
    expect(asking(of, { questionId: 'more' })).toMatchObject({ gate: null, answer: { reason: 'tooManyQuestions' } });
  });

  test('may be asked by whoever may decide: also for somebody who is away, in the place of nobody else', () => {
    const delegation = { ...newDelegation(), signed: 'x' };
    const bob = person('bob', { roles: [], delegations: [delegation] });
    expect(objectionToPart(gate(), bob, NOW + 1)).toBeNull();
    expect(objectionToPart(gate(), { ...bob, tenant: 'globex' }, NOW + 1)).toMatchObject(['wrongRole', expect.anything()]);
    expect(objectionToPart(gate(), { ...bob, name: 'carol' }, NOW + 1)).toMatchObject(['wrongRole', expect.anything()]);
  });
});

describe('an answer', () => {
  test('stands beside its question, whatever it says, and nothing else of the gate changes', () => {
    for (const of of [asked(), { ...asked(), status: 'consumed' as const, votes: [newVote()] }]) {
      const after = answered(of, 'q1', words, NOW + 5);
      const { questions, ...rest } = after as GateRecord;
      const { questions: _before, ...same } = of;
      expect(rest).toEqual(same);
      expect(questions).toMatchObject([{ questionId: 'q1', answer: { ...words, atMs: NOW + 5 } }]);
    }
  });

  test('is the first one, is for a question that was asked, and is cut where it is long', () => {
    const once = answered(asked(), 'q1', words, NOW) as GateRecord;
    expect(answered(once, 'q1', { ...words, text: 'other' }, NOW)).toBeNull();
    expect(answered(asked(), 'q2', words, NOW)).toBeNull();
    expect(answered(gate(), 'q1', words, NOW)).toBeNull();
    const [long] = answered(asked(), 'q1', { ...words, text: 'x'.repeat(99_000) }, NOW)?.questions ?? [];
    expect(long?.answer).toMatchObject({ text: expect.stringMatching(/^x{4000} … \(99000 characters in all\)$/) });
  });

  test('leaves a decision what it is: the gate is decided by votes as before', () => {
    const of = answered(asked(), 'q1', words, NOW) as GateRecord;
    const { approvalId, actionDigest } = of;
    const decision = {
      version: 1,
      ...of.runKey,
      approvalId,
      actionDigest,
      verdict: 'deny',
      approver: 'alice',
      roles: ['lead'],
      nonce: 'n',
      expiresAtMs: NOW + 9,
    } as const;
    const denied = decide(of, { decision: { ...decision, roles: ['lead'] }, signedDecision: 'x.y', requesterMayDecideByDefault: false }, NOW + 1);
    expect(denied.gate).toMatchObject({ status: 'denied', questions: of.questions });
  });

  test('is asked for with the action in words, and never with more than fits', () => {
    const text = questionText(gate({ arguments: { note: 'y'.repeat(50_000) } }), 'why?');
    expect(text).toContain('Question: why?');
    expect(text.length).toBeLessThan(9_500);
  });
});

describe('where the model is asked from', () => {
  const open = { approvalId: 'g', kind: 'action', status: 'open' } as OpenGate;
  const at = (change: Partial<RunPosition>): RunPosition => ({
    ...startPosition({ attemptId: 'a0' as never, nodeIds: ['n0'] }, {} as never),
    gates: [open],
    ...change,
  });
  test('is the reply that asks, with the results there are; between steps all that the run knows; after an answer, that answer', () => {
    const calls = [
      { callIndex: 0, status: 'done', nodeId: 'r0' },
      { callIndex: 1, status: 'gated' },
    ] as never;
    const waiting = at({ replyAttemptId: 'a1' as never, calls });
    expect(questionHead(waiting, 'g' as never, 'q')).toEqual({ attemptId: 'a1', nodeIds: ['r0', 'q'] });
    expect(questionHead(at({ messageNodeIds: ['m'] }), 'g' as never, 'q')).toEqual({ attemptId: 'a0', nodeIds: ['n0', 'm', 'q'] });
    // The plan of an undoing is no reply.
    expect(questionHead(at({ replyAttemptId: 'plan' as never, calls, undoing: {} as never }), 'g' as never, 'q').attemptId).toBe('a0');
    const after = setAnswered(waiting, 'g' as never, 'answer' as never);
    expect(questionHead(after, 'g' as never, 'q2')).toEqual({ attemptId: 'answer', nodeIds: ['q2'] });
    expect({ ...after, gates: [] }).toEqual({ ...waiting, gates: [] });
  });
});

describe('what a stranger sends as a question', () => {
  const good = { approvalId: 'g', actionDigest: 'a'.repeat(64), questionId: 'q', signedQuestion: 'x.y' };
  const cyclic: Record<string, unknown> = {};
  cyclic.self = cyclic;
  test('is read or refused, and never throws', () => {
    expect(readQuestionRequest({ ...good, more: 1 })).toEqual(good);
    expect(readQuestionRequest({ ...good, redaction: { version: 1 } })).toEqual({ ...good, redaction: { version: 1 } });
    for (const bad of [null, 1, 'x', [], {}, { ...good, questionId: '' }, { ...good, actionDigest: 'A'.repeat(64) }, { ...good, signedQuestion: 7 }])
      expect(readQuestionRequest(bad)).toBeNull();
    for (const redaction of ['x', [], cyclic, { sealed: 'x'.repeat(20_000) }]) expect(readQuestionRequest({ ...good, redaction })).toBeNull();
  });

  test('is for an open gate of the run, what it shows now, and not too often', () => {
    const open = { approvalId: 'g', actionDigest: 'a'.repeat(64), status: 'open' } as OpenGate;
    const request = readQuestionRequest(good);
    expect(objectionToQuestion(request, [open])).toBeNull();
    expect(objectionToQuestion(null, [open])?.reason).toBe('malformed');
    expect(objectionToQuestion(request, [])?.reason).toBe('closed');
    expect(objectionToQuestion(request, [{ ...open, status: 'approved' }])?.reason).toBe('closed');
    expect(objectionToQuestion(request, [{ ...open, actionDigest: 'b'.repeat(64) as never }])?.reason).toBe('wrongDigest');
    expect(objectionToQuestion(request, [{ ...open, asked: 40 }])?.reason).toBe('tooManyQuestions');
  });
});

describe('taking a gate', () => {
  const taken = (of = gate()) => {
    const transition = take(of, person('alice', { displayName: 'Alice' }), NOW);
    return (transition.type === 'accepted' && transition.gate) as GateRecord;
  };
  test('shows who looks at it for some minutes, and then nobody by itself', () => {
    const of = gate();
    expect(taken(of)).toEqual({ ...of, claim: { by: 'alice', displayName: 'Alice', untilMs: NOW + CLAIM_FOR_MS } });
    expect(claimAt(taken(), NOW + CLAIM_FOR_MS - 1)).toMatchObject({ by: 'alice' });
    expect(claimAt(taken(), NOW + CLAIM_FOR_MS)).toBeNull();
    expect(claimAt({ ...taken(), status: 'approved' }, NOW)).toBeNull();
  });

  test('is for whoever may decide; what somebody has taken is theirs until it is over', () => {
    expect(take(gate(), person('bob', { roles: ['intern'] }), NOW)).toMatchObject({ type: 'refused', reason: 'wrongRole' });
    expect(take(gate({ status: 'denied' }), person(), NOW)).toMatchObject({ reason: 'closed' });
    expect(take(taken(), person('bob'), NOW + 1)).toMatchObject({ type: 'refused', reason: 'taken', message: expect.stringContaining('Alice') });
    expect(take(taken(gate({ expiresAtMs: NOW + 9 * CLAIM_FOR_MS })), person('bob'), NOW + CLAIM_FOR_MS)).toMatchObject({ gate: { claim: { by: 'bob' } } });
    expect(take(taken(), person(), NOW + 5)).toMatchObject({ gate: { claim: { by: 'alice', untilMs: NOW + 5 + CLAIM_FOR_MS } } });
  });

  test('keeps nobody from deciding', () => {
    const of = taken();
    const { approvalId, actionDigest } = of;
    const decision = {
      version: 1,
      ...of.runKey,
      approvalId,
      actionDigest,
      verdict: 'approve',
      approver: 'bob',
      roles: ['lead'],
      nonce: 'n',
      expiresAtMs: NOW + 9,
    } as const;
    expect(decide(of, { decision: { ...decision, roles: ['lead'] }, signedDecision: 'x.y', requesterMayDecideByDefault: false }, NOW + 1).gate?.status).toBe(
      'approved',
    );
  });

  test('is undone by whoever took it, and by nobody else', () => {
    const held = taken();
    const { claim: _claim, ...free } = held;
    expect(release(held, 'alice', NOW + 1)).toEqual({ type: 'accepted', gate: free });
    expect(release(taken(), 'bob', NOW + 1)).toMatchObject({ type: 'refused', reason: 'notTaken' });
    expect(release(gate(), 'bob', NOW)).toEqual({ type: 'accepted', gate: null });
  });
});
