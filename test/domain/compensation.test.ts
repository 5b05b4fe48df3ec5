import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { startUndoing, startPosition } from '../../domain/agent-run/position.ts';
import { decideNextAction } from '../../domain/agent-run/next-action.ts';
import { emptyLedger, ZERO_NANO_USD } from '../../domain/budget/ledger.ts';
import { type Compensable, compensationInWords, concludeCompensation, isUndoneOn, mapArguments, planCompensation } from '../../domain/tool/compensation.ts';
import { holdsFor } from '../support/property.ts';

const by = (argumentsDigest: string, tool = 'unbook') => ({ tool, arguments: { id: argumentsDigest }, argumentsDigest });
const action = (callKey: string, more: Partial<Compensable> = {}): Compensable => ({
  callKey,
  tool: 'book',
  effect: 'write',
  status: 'done',
  isError: false,
  by: by(callKey),
  ...more,
});
const done = (callKey: string, tool = 'book', argumentsDigest = callKey) => ({ callKey, tool, argumentsDigest });

describe('a plan', () => {
  test('undoes the last action first', () => {
    const plan = planCompensation([action('a'), action('b')], [done('a'), done('b')]);
    expect(plan.undo.map(({ callKey }) => callKey)).toEqual(['b', 'a']);
    expect(plan.left).toEqual([]);
  });

  test('leaves what is in doubt and a write that failed, and drops an irreversible action that was certainly not done', () => {
    const plan = planCompensation(
      [
        action('doubt', { status: 'inDoubt', effect: 'irreversible' }),
        action('begun', { status: 'intent', effect: 'irreversible' }),
        action('failed', { status: 'failed', isError: true }),
        action('refused', { status: 'failed', isError: true, effect: 'irreversible' }),
        action('odd', { by: { problem: 'no id' } }),
      ],
      [],
    );
    expect(plan.undo).toEqual([]);
    expect(plan.left.map(({ callKey }) => callKey)).toEqual(['odd', 'failed', 'begun', 'doubt']);
  });

  test('counts each undoing that was done already for one action alone, and only if it came after it', () => {
    const actions = [action('a', { by: by('same') }), action('b', { by: by('same') })];
    const undone = done('u', 'unbook', 'same');
    expect(planCompensation(actions, [done('a'), done('b'), undone]).undo).toHaveLength(1);
    expect(planCompensation(actions, [done('a'), done('b'), undone, { ...undone, callKey: 'v' }]).undo).toHaveLength(0);
    expect(planCompensation(actions, [undone, done('a'), done('b')]).undo).toHaveLength(2);
  });

  test('undoes no action twice, loses none without a word, and a plan made after a plan was carried out is empty (any run)', () => {
    const status = fc.constantFrom('done', 'failed', 'inDoubt', 'intent') as fc.Arbitrary<Compensable['status']>;
    const arbitrary = fc.array(fc.record({ status, digest: fc.constantFrom('x', 'y', 'z'), irreversible: fc.boolean() }), { maxLength: 200 });
    holdsFor(arbitrary, (drawn) => {
      const actions = drawn.map(({ status, digest, irreversible }, index) =>
        action(`a${index}`, { status, isError: status === 'failed', effect: irreversible ? 'irreversible' : 'write', by: by(digest) }),
      );
      const completed = actions.filter((each) => each.status === 'done').map(({ callKey }) => done(callKey));
      const plan = planCompensation(actions, completed);
      const named = [...plan.undo, ...plan.left].map(({ callKey }) => callKey);
      expect(new Set(named).size).toBe(named.length);
      const owed = actions.filter(({ status, effect }) => !(status === 'failed' && effect === 'irreversible'));
      expect(named.length).toBe(owed.length);
      const carriedOut = plan.undo.map((each, index) => done(`u${index}`, each.by.tool, each.by.argumentsDigest));
      const again = planCompensation(actions, [...completed, ...carriedOut]);
      expect(again.undo.length).toBe(Math.max(0, Math.min(128, completed.length - 128)));
    });
  });
});

describe('arguments', () => {
  test('come from what was done or are fixed; what is not there is named', () => {
    const args = { order: { id: 7 }, list: ['x'] };
    expect(
      mapArguments({ id: { from: 'arguments.order.id' }, first: { from: 'arguments.list.0' }, why: { value: 'undo' }, all: { from: 'result' } }, args, 'r'),
    ).toEqual({
      type: 'arguments',
      arguments: { id: 7, first: 'x', why: 'undo', all: 'r' },
    });
    expect(mapArguments({ id: { from: 'result.id' }, to: { from: 'arguments.constructor' } }, args, null)).toEqual({
      type: 'missing',
      places: ['result.id', 'arguments.constructor'],
    });
  });
});

describe('the end', () => {
  test('names what was undone, and each that was not with its reason', () => {
    const plan = planCompensation([action('a'), action('b'), action('c'), action('d', { status: 'inDoubt' })], [done('a'), done('b'), done('c')]);
    const report = concludeCompensation(plan, [{ type: 'done' }, { type: 'stopped', gateStatus: 'denied' }]);
    expect(report).toMatchObject({ undoneCount: 1, leftCount: 3 });
    const words = compensationInWords(report);
    for (const part of ['Undone: book by unbook.', 'a person denied unbook', 'unbook was not tried', 'whether it happened is not known'])
      expect(words).toContain(part);
  });

  test('a completed run is never undone, and one whose task does not ask for it is not', () => {
    expect(isUndoneOn({ compensateOn: ['failed', 'denied'] }, 'completed')).toBe(false);
    expect(isUndoneOn({ compensateOn: ['failed'] }, 'denied')).toBe(false);
    expect(isUndoneOn({}, 'failed')).toBe(false);
    expect(isUndoneOn({ compensateOn: ['failed'] }, 'failed')).toBe(true);
  });

  test('an end without anything to undo is an end at once, and a denial does not stop the undoing', () => {
    const end = { status: 'denied', message: 'no' } as const;
    const position = startPosition({ attemptId: null, nodeIds: [] }, emptyLedger(ZERO_NANO_USD));
    const task = { maxPendingApprovals: 4, onDenied: 'endRun', onExpired: 'endRun' } as never;
    expect(decideNextAction(startUndoing(position, end, 'undo:1' as never, []), task)).toEqual({ type: 'finish', end });
    const undoing = startUndoing(position, end, 'undo:1' as never, [{ tool: 'refund', effect: 'irreversible', valid: true }]);
    const gate = { approvalId: 'g', kind: 'action', status: 'denied', tool: 'refund', callIndex: 0 } as never;
    const calls = undoing.calls.map((call) => ({ ...call, status: 'gated', approvalId: 'g' }) as never);
    expect(decideNextAction({ ...undoing, calls, gates: [gate] }, task)).toMatchObject({ type: 'executeTools' });
  });
});
