import { expect, test } from 'vitest';
import type { AgentRunId } from '../../contracts/ids.ts';
import { readTraceparent, spanIdOf, traceOf, traceparentBelow } from '../../telemetry/trace-ids.ts';

const runKey = { agentRunId: 'run-1' as AgentRunId, firstExecutionRunId: '0f5d3c1e-0000-4000-8000-000000000000' };
const given = `00-${'ab'.repeat(16)}-${'cd'.repeat(8)}-01`;

test('ids are those of the run, whoever computes them, and of the right length', () => {
  const { traceId, parentSpanId } = traceOf({ runKey });
  expect(traceId).toMatch(/^[0-9a-f]{32}$/);
  expect(parentSpanId).toBeNull();
  expect(traceOf({ runKey: { ...runKey } })).toEqual({ traceId, parentSpanId });
  expect(traceOf({ runKey: { ...runKey, firstExecutionRunId: 'another' } }).traceId).not.toBe(traceId);
  const ids = [
    spanIdOf(runKey, { type: 'run' }),
    spanIdOf(runKey, { type: 'step', step: 1 }),
    spanIdOf(runKey, { type: 'step', step: 11 }),
    spanIdOf(runKey, { type: 'attempt', attemptId: 'a' }),
    spanIdOf(runKey, { type: 'settlement', attemptId: 'a' }),
    spanIdOf(runKey, { type: 'tool', callKey: 'a' }),
    spanIdOf(runKey, { type: 'gate', approvalId: 'a' }),
  ];
  expect(new Set(ids).size).toBe(ids.length);
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{16}$/);
});

test('the ids of a released version never change: a span sent again after an upgrade is the same span', () => {
  expect([traceOf({ runKey }).traceId, spanIdOf(runKey, { type: 'attempt', attemptId: 'a' })]).toMatchInlineSnapshot(`
    [
      "d705e95d5cc2673902fb80b07c4ca092",
      "1fe3d87eee6bd6e7",
    ]
  `);
});

test("a caller's context is taken as it is, and handed on with our own span", () => {
  expect(traceOf({ runKey, traceparent: given })).toEqual({ traceId: 'ab'.repeat(16), parentSpanId: 'cd'.repeat(8) });
  expect(traceparentBelow({ runKey, traceparent: given }, { type: 'run' })).toBe(`00-${'ab'.repeat(16)}-${spanIdOf(runKey, { type: 'run' })}-01`);
});

test('what is no trace context is as if there were none', () => {
  expect(readTraceparent(given)).not.toBeNull();
  expect(readTraceparent(` ${given} `)).not.toBeNull();
  expect(readTraceparent(given.replace('00-', 'cc-').concat('-future'))).not.toBeNull();
  const wrong = ['', 'nonsense', given.toUpperCase(), given.replace('00-', 'ff-'), `${given}-more`, given.slice(0, -1)];
  const zero = [given.replaceAll('ab', '00'), given.replaceAll('cd', '00')];
  for (const header of [null, undefined, ...wrong, ...zero]) {
    expect(readTraceparent(header), String(header)).toBeNull();
    expect(traceOf({ runKey, traceparent: header ?? undefined })).toEqual(traceOf({ runKey }));
  }
});
