import { expect, test } from 'vitest';
import { reportSteps } from '../../client/step-report.ts';
import type { GateStatus } from '../../contracts/approval.ts';
import type { GateRecord } from '../../domain/approval/gate.ts';
import type { AttemptRecord, ToolCallRecord } from '../../domain/store/port.ts';

const attempt = (attemptId: string, step: number, ordinal: number, outcome: unknown, toolCalls: readonly unknown[] = []) =>
  ({ attemptId, step, ordinal, model: `model-${ordinal}`, reservedAtMs: ordinal, outcome, reply: { text: null, toolCalls } }) as unknown as AttemptRecord;
const call = (name: string, argumentsText: string) => ({ toolCallId: name, name, argumentsText });
const record = (attemptId: string, callIndex: number, status: string) =>
  ({ attemptId, callIndex, status, effect: 'read', startedAtMs: 1, isError: false, result: 1 }) as unknown as ToolCallRecord;
const gate = (attemptId: string, callIndex: number, status: GateStatus) =>
  ({ approvalId: 'g', kind: 'action', attemptId, callIndex, status, createdAtMs: 1, arguments: { stored: true } }) as unknown as GateRecord;

test('a step lists its tries in order and the calls of the accepted reply only', () => {
  const late = attempt('a1', 1, 1, { type: 'failed', verdict: { class: 'timeout' }, message: '' }, [call('late', '{}')]);
  const accepted = attempt('a2', 1, 2, { type: 'reply' }, [call('find', '{"id":1}'), call('broken', 'not json')]);
  const [step] = reportSteps({ attempts: [accepted, late], calls: [record('a2', 0, 'done')], gates: [], snapshot: null });
  expect(step?.attempts.map(({ model, outcome }) => [model, outcome])).toEqual([
    ['model-1', 'timeout'],
    ['model-2', 'ok'],
  ]);
  expect(step?.toolCalls).toEqual([
    { tool: 'find', effect: 'read', status: 'done', arguments: { id: 1 }, isError: false, result: 1 },
    { tool: 'broken', effect: null, status: 'planned', arguments: 'not json' },
  ]);
});

test.each([
  ['open', 'awaitingApproval'],
  ['denied', 'denied'],
  ['expired', 'expired'],
  ['approved', 'planned'],
] as const)('a call whose gate is %s shows as %s, with the arguments stored at the gate', (status, shown) => {
  const [step] = reportSteps({
    attempts: [attempt('a', 1, 1, { type: 'reply' }, [call('pay', '{}')])],
    calls: [],
    gates: [gate('a', 0, status)],
    snapshot: null,
  });
  expect(step?.toolCalls[0]).toMatchObject({ status: shown, arguments: { stored: true }, approvalId: 'g' });
});

test('a call that the run has passed by was not run', () => {
  const attempts = [attempt('a', 1, 1, { type: 'reply' }, [call('x', '{}')]), attempt('b', 2, 1, null)];
  const [first, second] = reportSteps({ attempts, calls: [], gates: [], snapshot: null });
  expect(first?.toolCalls[0]?.status).toBe('notRun');
  expect(second?.attempts[0]?.outcome).toBe('inFlight');
});
