import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { OpenGate, PinnedTask, ReplyCall, RunPosition } from '../../contracts/agent-run.ts';
import type { GateStatus } from '../../contracts/approval.ts';
import type { NanoUsd } from '../../contracts/budget.ts';
import type { ActionDigest, ApprovalId, AttemptId } from '../../contracts/ids.ts';
import { decideNextAction } from '../../domain/agent-run/next-action.ts';
import { acceptReply, addGate, completeCall, fallShort, setGateStatus, startPosition } from '../../domain/agent-run/position.ts';
import { emptyLedger } from '../../domain/budget/ledger.ts';

const ledger = emptyLedger(1_000 as NanoUsd);
const task = (change: Partial<PinnedTask> = {}): PinnedTask => ({
  taskName: 't',
  snapshotDigest: 'd',
  promptVersion: 'p',
  models: ['a', 'b'],
  onBudgetExhausted: 'fail',
  onDenied: 'tellModel',
  onExpired: 'tellModel',
  maxSteps: 3,
  maxToolCallsPerStep: 16,
  maxPendingApprovals: 2,
  maxTriesPerGate: 5,
  maxAttemptsPerStep: 8,
  modelTimeoutMs: 1_000,
  toolTimeoutMs: 1_000,
  maxRetryWaitMs: 1_000,
  maxHistoryEvents: 1_000,
  ...change,
});
const start = startPosition({ attemptId: null, nodeIds: ['input'] }, ledger);
const reply = (...calls: ReplyCall[]) => ({ attemptId: 'r1' as AttemptId, model: 'a', calls, ledger });
const call = (effect: ReplyCall['effect'], valid = true): ReplyCall => ({ tool: `${effect}Tool`, effect, valid });
const gate = (callIndex: number | null, kind: OpenGate['kind'] = 'action', status: GateStatus = 'open'): OpenGate => ({
  approvalId: `g${callIndex}` as ApprovalId,
  actionDigest: 'x' as ActionDigest,
  kind,
  status,
  tool: 't',
  expiresAtMs: 1,
  tries: 0,
  callIndex,
});

describe('decideNextAction', () => {
  test('a fresh run calls the model', () => {
    expect(decideNextAction(start, task())).toEqual({ type: 'callModel', mode: 'step' });
  });

  test('a reply without tool calls completes the run with that reply as its answer', () => {
    expect(decideNextAction(acceptReply(start, reply()), task())).toMatchObject({ type: 'finish', end: { status: 'completed', outputAttemptId: 'r1' } });
  });

  const broken = { ...reply(), invalidOutput: { nodeId: 'n', message: 'It is not JSON.' } };

  test('an answer that breaks the output schema is asked for again, from where the model was told so, and counts as a step', () => {
    const position = acceptReply(start, broken);
    expect(position).toMatchObject({ step: 2, head: { attemptId: 'r1', nodeIds: ['n'] }, end: null });
    expect(decideNextAction(position, task({ maxOutputCorrections: 1 }))).toEqual({ type: 'callModel', mode: 'step' });
  });

  test('the run fails with what was wrong once it may not be asked for again', () => {
    const failed = { type: 'finish', end: { status: 'failed', failureType: 'invalidOutput', message: expect.stringContaining('once. It is not JSON.') } };
    expect(decideNextAction(acceptReply(start, broken), task({ maxOutputCorrections: 0 }))).toEqual(failed);
    expect(decideNextAction(acceptReply(start, broken), task({ maxOutputCorrections: 5, maxSteps: 1 }))).toEqual(failed);
    const twice = acceptReply(acceptReply(start, broken), broken);
    expect(decideNextAction(twice, task({ maxOutputCorrections: 1 }))).toMatchObject({ end: { failureType: 'invalidOutput' } });
  });

  test('tool calls between two broken answers do not begin the count anew, and running out of steps there is another failure', () => {
    const looked = acceptReply(acceptReply(start, broken), reply(call('read', false)));
    expect(decideNextAction(acceptReply(looked, broken), task({ maxOutputCorrections: 1 }))).toMatchObject({ end: { failureType: 'invalidOutput' } });
    expect(decideNextAction(looked, task({ maxOutputCorrections: 1, maxSteps: 2 }))).toMatchObject({ end: { failureType: 'maxStepsReached' } });
  });

  test('reads that stand together run at once, a write runs alone, in the order of the reply', () => {
    let position = acceptReply(start, reply(call('read'), call('read'), call('write'), call('read')));
    const first = decideNextAction(position, task());
    expect(first.type === 'executeTools' && first.calls.map((c) => c.callIndex)).toEqual([0, 1]);
    position = completeCall(completeCall(position, 0, 'n0'), 1, 'n1');
    const second = decideNextAction(position, task());
    expect(second.type === 'executeTools' && second.calls.map((c) => c.callIndex)).toEqual([2]);
  });

  test('an irreversible call opens its gate before anything of the step runs', () => {
    const position = acceptReply(start, reply(call('read'), call('irreversible')));
    expect(decideNextAction(position, task())).toEqual({ type: 'awaitApproval', open: [{ kind: 'action', callIndex: 1 }] });
  });

  test('no more gates are opened than the limit, and the rest once there is room', () => {
    let position = acceptReply(start, reply(call('irreversible'), call('irreversible'), call('irreversible')));
    expect(decideNextAction(position, task())).toEqual({
      type: 'awaitApproval',
      open: [
        { kind: 'action', callIndex: 0 },
        { kind: 'action', callIndex: 1 },
      ],
    });
    position = addGate(addGate(position, gate(0)), gate(1));
    expect(decideNextAction(position, task())).toEqual({ type: 'awaitApproval', open: [] });
    position = completeCall(position, 0, 'n0');
    expect(decideNextAction(position, task())).toEqual({ type: 'awaitApproval', open: [{ kind: 'action', callIndex: 2 }] });
  });

  test('an open gate never lets its call run, whatever else the run waits for', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('read', 'write', 'irreversible' as const), { minLength: 1, maxLength: 8 }), (effects) => {
        let position: RunPosition = acceptReply(start, reply(...effects.map((effect) => call(effect))));
        for (let guard = 0; guard < 50; guard += 1) {
          const action = decideNextAction(position, task({ maxPendingApprovals: 3 }));
          if (action.type === 'awaitApproval') {
            if (action.open.length === 0) return;
            for (const subject of action.open) if (subject.kind === 'action') position = addGate(position, gate(subject.callIndex));
          } else if (action.type === 'executeTools') {
            expect(action.calls.every((c) => c.effect !== 'irreversible')).toBe(true);
            expect(action.calls.length === 1 || action.calls.every((c) => c.effect === 'read')).toBe(true);
            for (const c of action.calls) position = completeCall(position, c.callIndex, `n${c.callIndex}`);
          } else return;
        }
        throw new Error('the run did not come to rest');
      }),
    );
  });

  test('a denied call is answered and the run goes on, unless the task ends there', () => {
    const position = setGateStatus(addGate(acceptReply(start, reply(call('irreversible'))), gate(0)), 'g0' as ApprovalId, 'denied');
    expect(decideNextAction(position, task())).toMatchObject({ type: 'executeTools' });
    expect(decideNextAction(position, task({ onDenied: 'endRun' }))).toMatchObject({ type: 'finish', end: { status: 'denied' } });
  });

  test('a call that cannot run is done already, and the next step follows', () => {
    const position = acceptReply(start, reply(call('read', false)));
    expect(position).toMatchObject({ step: 2, head: { attemptId: 'r1', nodeIds: ['r1:0'] } });
  });

  test('endless tool calls end at maxSteps with a reason', () => {
    const position = { ...start, step: 4 };
    expect(decideNextAction(position, task())).toMatchObject({ type: 'finish', end: { status: 'failed', failureType: 'maxStepsReached' } });
  });

  test('a lack of money fails, wraps up once, or asks, as the task says', () => {
    const short = fallShort(start, { neededNanoUsd: 500 as NanoUsd, ledger });
    expect(decideNextAction(short, task())).toMatchObject({ type: 'finish', end: { status: 'budgetExhausted' } });
    expect(decideNextAction(short, task({ onBudgetExhausted: 'wrapUp' }))).toEqual({ type: 'callModel', mode: 'wrapUp' });
    expect(decideNextAction({ ...short, wrappingUp: true }, task({ onBudgetExhausted: 'wrapUp' }))).toMatchObject({ type: 'finish' });
    expect(decideNextAction(short, task({ onBudgetExhausted: 'ask' }))).toEqual({ type: 'awaitApproval', open: [{ kind: 'budget' }] });
    const asked = addGate(short, gate(null, 'budget'));
    expect(decideNextAction(asked, task({ onBudgetExhausted: 'ask' }))).toEqual({ type: 'awaitApproval', open: [] });
    expect(decideNextAction({ ...asked, gates: [gate(null, 'budget', 'approved')] }, task({ onBudgetExhausted: 'ask' }))).toMatchObject({
      type: 'callModel',
      raisedBy: { kind: 'budget' },
    });
    expect(decideNextAction({ ...asked, gates: [gate(null, 'budget', 'denied')] }, task({ onBudgetExhausted: 'ask' }))).toMatchObject({
      type: 'finish',
      end: { status: 'budgetExhausted' },
    });
  });

  test('a run that is short of money above it does not ask for more of its own, which would not help', () => {
    const short = fallShort(start, { neededNanoUsd: 500 as NanoUsd, ledger, scope: 'parent' });
    const action = decideNextAction(short, task({ onBudgetExhausted: 'ask' }));
    expect(action).toMatchObject({ type: 'finish', end: { status: 'budgetExhausted', message: expect.stringContaining('the run that it belongs to') } });
    expect(decideNextAction(short, task({ onBudgetExhausted: 'wrapUp' }))).toEqual({ type: 'callModel', mode: 'wrapUp' });
    expect(decideNextAction(fallShort(short, { neededNanoUsd: 500 as NanoUsd, ledger }), task({ onBudgetExhausted: 'ask' }))).toEqual({
      type: 'awaitApproval',
      open: [{ kind: 'budget' }],
    });
  });

  test('a short read stays one on its way from the reply to its call', () => {
    const action = decideNextAction(acceptReply(start, reply({ ...call('read'), local: true }, call('read'))), task());
    expect(action.type === 'executeTools' && action.calls.map(({ local }) => local)).toEqual([true, undefined]);
  });
});
