import { afterAll, beforeAll, expect, test } from 'vitest';
import { createAgentClient } from '../../client/library/main.ts';
import { fairShareOf } from '../../client/fairness.ts';
import { taskDefinitionSchema } from '../../contracts/task.ts';
import { Stage } from '../support/stage.ts';

const stage = new Stage({}, ['matching.enableFairness=true', 'matching.numTaskqueueReadPartitions=1', 'matching.numTaskqueueWritePartitions=1']);
beforeAll(() => stage.open({ scenarios: [{ id: 'hello', match: { system: 'HELLO' }, turns: [{ text: 'hello' }] }], workers: 0 }));
afterAll(() => stage.close());

const BUSY_RUNS = 40;

test('a tenant with one run does not wait behind the forty of another', { timeout: 120_000 }, async () => {
  const client = createAgentClient({
    client: stage.client,
    store: stage.store,
    identity: { name: 'tester', roles: [] },
    switchedOffSearchAttributes: ['task', 'tenant', 'feature', 'status', 'awaitingApproval', 'spendUsd', 'budgetUsd', 'model', 'promptVersion'],
    tenantWeights: { quiet: 2 },
  });
  const definition = taskDefinitionSchema.parse({
    version: 1,
    name: 'hello',
    prompt: 'HELLO',
    models: [{ model: 'gpt-5-nano' }],
    maxOutputTokens: 64,
    budgetLimitNanoUsd: 100_000_000,
    gates: { irreversible: {} },
    limits: {},
  });
  const start = (id: string, tenant: string) => client.start({ definition, contents: [] }, { message: 'hi' }, { id, tenant });
  for (let run = 0; run < BUSY_RUNS; run += 1) await start(`busy-${run}`, 'busy');
  await start('quiet', 'quiet');
  await stage.startWorker();
  const startedAt = async (id: string) => {
    const handle = stage.client.workflow.getHandle(id);
    await handle.result();
    const { events = [] } = await handle.fetchHistory();
    const started = events?.[0]?.workflowExecutionStartedEventAttributes?.priority;
    const first = events?.find((event) => event.workflowTaskStartedEventAttributes)?.eventTime;
    return { key: started?.fairnessKey, weight: started?.fairnessWeight, atMs: Number(first?.seconds) * 1_000 + (first?.nanos ?? 0) / 1e6 };
  };
  const quiet = await startedAt('quiet');
  const busy = await Promise.all(Array.from({ length: BUSY_RUNS }, (_, run) => startedAt(`busy-${run}`)));
  expect([quiet.key, quiet.weight, busy[0]?.key]).toEqual(['quiet', 2, 'busy']);
  expect(busy.filter(({ atMs }) => atMs < quiet.atMs).length, 'runs of the other tenant that went before').toBeLessThan(BUSY_RUNS / 2);
});

test('a key is at most 64 bytes, and different tenants keep different ones', () => {
  const long = (end: string) => `${'ü'.repeat(60)}${end}`;
  const keys = ['acme', long('a'), long('b')].map((tenant) => fairShareOf(tenant, { [long('a')]: 3 }));
  expect(keys.every(({ fairnessKey = '' }) => Buffer.byteLength(fairnessKey) <= 64)).toBe(true);
  expect(new Set(keys.map(({ fairnessKey }) => fairnessKey)).size).toBe(3);
  expect(keys.map(({ fairnessWeight }) => fairnessWeight)).toEqual([undefined, 3, undefined]);
  expect(fairShareOf('constructor', {})).toEqual({ fairnessKey: 'constructor' });
});
