import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AgentRunResult } from '../../contracts/agent-run.ts';
import { Stage } from '../support/stage.ts';
import { recordedTools } from '../support/tools.ts';

const STEPS = 200;
const turns = Array.from({ length: STEPS - 1 }, () => ({ toolCalls: [{ name: 'look', arguments: { id: 1 } }] }));
const gated = [
  { toolCalls: [{ name: 'look', arguments: { id: 1 } }] },
  { toolCalls: [{ name: 'look', arguments: { id: 1 } }] },
  { toolCalls: [{ name: 'pay', arguments: {} }] },
  { toolCalls: [{ name: 'look', arguments: { id: 1 } }] },
  { text: 'done' },
];
const stage = new Stage();
beforeAll(() =>
  stage.open({
    scenarios: [
      { id: 'long', match: { system: 'LONG' }, turns: [...turns, { text: 'done' }] },
      { id: 'gated', match: { system: 'GATED' }, turns: gated },
    ],
  }),
);
afterAll(() => stage.close());

const tools = () =>
  recordedTools(stage, { look: 'read', pay: 'irreversible' }, [
    ...Array.from({ length: STEPS }, () => ({ name: 'look', arguments: { id: 1 }, result: { found: true, note: 'x'.repeat(1_000) } })),
    { name: 'pay', arguments: {}, result: 'ok' },
  ]);

test('history per step is at most 2.5 KB and the same at step 10 and step 200', async () => {
  const handle = await stage.start(
    { prompt: 'LONG', tools: (await tools()) as never, models: [{ model: 'gpt-5-nano' }], limits: { maxSteps: 300 } as never },
    { id: 'long' },
  );
  expect(((await handle.result()) as AgentRunResult).steps).toBe(STEPS);
  const { events } = await handle.fetchHistory();
  const modelStarts = (events ?? []).flatMap((event, index) => (event.activityTaskScheduledEventAttributes?.activityType?.name === 'callModel' ? [index] : []));
  const bytes = (from: number, to: number) => {
    const slice = (events ?? []).slice(modelStarts[from - 1], modelStarts[to - 1]);
    return slice.reduce((sum, event) => sum + Buffer.byteLength(JSON.stringify(event), 'utf8'), 0) / (to - from);
  };
  const description = await handle.describe();
  const wirePerStep = Number(description.raw.workflowExecutionInfo?.historySizeBytes) / STEPS;
  expect(wirePerStep).toBeLessThanOrEqual(2_500);
  expect(bytes(190, 200) / bytes(10, 20)).toBeLessThan(1.05);
}, 120_000);

test('a run continues as new with its open gate carried over, and a decision made after that counts', async () => {
  const handle = await stage.start({ prompt: 'GATED', tools: (await tools()) as never, limits: { maxHistoryEvents: 50 } as never }, { id: 'gated' });
  const gate = await stage.openGate(handle);
  const before = (await handle.describe()).runId;
  // Signals that are no decisions still make history; the run sheds it while it waits.
  for (let count = 0; count < 30; count += 1) await handle.signal('approve', { nonsense: count });
  const after = await stage.openGate(handle);
  expect(after.approvalId).toBe(gate.approvalId);
  expect((await stage.client.workflow.getHandle('gated').describe()).runId).not.toBe(before);
  await stage.client.workflow.getHandle('gated').signal('approve', { approvalId: gate.approvalId, actionDigest: gate.actionDigest });
  expect(await stage.client.workflow.getHandle('gated').result()).toMatchObject({ status: 'completed', output: 'done' });
  expect((await stage.store.listToolCalls((await stage.run('gated')).runKey)).filter((row) => row.tool === 'pay')).toHaveLength(1);
});
