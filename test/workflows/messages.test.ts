import { randomUUID } from 'node:crypto';
import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AgentClient } from '../../client/agent-client.ts';
import { createAgentClient } from '../../client/library/main.ts';
import type { AgentRunResult } from '../../contracts/agent-run.ts';
import type { TranscriptMessage } from '../../contracts/model.ts';
import { Stage } from '../support/stage.ts';
import { recordedTools } from '../support/tools.ts';
import { waitFor } from '../support/wait-for.ts';
import { auditNotes } from '../support/store-contract/fixtures.ts';

const call = (name: string, args: Record<string, number> = {}) => ({ name, arguments: args });
const slow = { faults: [{ type: 'slow' as const, delayMs: 2_000 }] };
const second = { text: 'second answer', alternatives: [{ when: { lastUserMessageIncludes: 'also' }, text: 'heard you' }] };
const scenarios = [
  { id: 'gated', match: { system: 'GATED' }, turns: [{ toolCalls: [call('look', { id: 1 }), call('pay', { id: 1 })] }, second] },
  { id: 'slow', match: { system: 'SLOW' }, turns: [{ text: 'first answer', ...slow }, second] },
  { id: 'fast', match: { system: 'FAST' }, turns: [{ text: 'first answer' }, second, second] },
];
const stage = new Stage();
let agent: AgentClient;
beforeAll(async () => {
  await stage.open({ scenarios });
  agent = createAgentClient({ client: stage.client, store: stage.store, identity: { name: 'alice', roles: [] } });
});
afterAll(async () => {
  try {
    await stage.record('at-gate', 'answering');
  } finally {
    await stage.close();
  }
});

const tools = () =>
  recordedTools(stage, { look: 'read', pay: 'irreversible' }, [
    { name: 'look', arguments: { id: 1 }, result: { ok: true } },
    { name: 'pay', arguments: { id: 1 }, result: { paid: true } },
  ]) as never;

/** Who spoke, in order, as the last model call of a run saw it. */
async function lastTranscript(agentRunId: string): Promise<readonly TranscriptMessage[]> {
  const { runKey } = await stage.run(agentRunId);
  const last = (await stage.store.listAttempts(runKey)).at(-1);
  const loaded = last ? await stage.store.loadTranscript(runKey, last.head) : null;
  if (loaded?.type !== 'transcript') throw new Error(`no transcript of ${agentRunId}`);
  return loaded.messages;
}
const textsFrom = (transcript: readonly TranscriptMessage[]) => transcript.flatMap((message) => (message.role === 'user' ? [message.text] : []));

async function untilCalling(handle: WorkflowHandle): Promise<void> {
  await waitFor('the model call', async () => (await stage.store.listAttempts((await stage.run(handle.workflowId)).runKey)).length > 0);
}

test('a message to a run at a gate comes after the results of the calls, in the next model call, and is audited', async () => {
  const handle = await stage.start({ prompt: 'GATED', tools: await tools() }, { id: 'at-gate' });
  await stage.openGate(handle);
  expect(await agent.addUserMessage('at-gate', 'And also this.', { messageId: 'm-1' })).toEqual({ messageId: 'm-1' });
  await stage.approve(handle);
  expect(await handle.result()).toMatchObject({ status: 'completed', output: 'heard you', steps: 2 });
  expect((await lastTranscript('at-gate')).map(({ role }) => role)).toEqual(['user', 'assistant', 'tool', 'tool', 'user']);
  const audit = await stage.store.listAudit({ runKey: (await stage.run('at-gate')).runKey, limit: 100 });
  expect(audit.filter(({ type }) => type === 'message.added')).toMatchObject([{ actor: 'alice', data: { messageId: 'm-1' } }]);
});

test('a run that was about to end with its answer takes another step for a message', async () => {
  const handle = await stage.start({ prompt: 'SLOW' }, { id: 'answering' });
  await untilCalling(handle);
  await agent.addUserMessage('answering', 'And also this.');
  expect(await handle.result()).toMatchObject({ status: 'completed', output: 'heard you', steps: 2 });
  expect((await lastTranscript('answering')).map(({ role }) => role)).toEqual(['user', 'assistant', 'user']);
  expect(await stage.ledgerProblems('answering')).toEqual([]);
  await expect(agent.addUserMessage('answering', 'Too late.')).rejects.toMatchObject({ type: 'notFound', message: expect.stringContaining('ended already') });
});

test('a message that Temporal took is never lost, however close to the end it came', async () => {
  const outcomes = await Promise.all(
    Array.from({ length: 12 }, async (_, index) => {
      const id = `race-${index}`;
      const handle = await stage.start({ prompt: 'FAST' }, { id });
      await waitFor('the answer', async () => (await stage.store.listAttempts((await stage.run(id)).runKey)).some((attempt) => attempt.outcome));
      await new Promise((resolve) => setTimeout(resolve, index * 6));
      const taken = await handle.signal('addUserMessage', { messageId: 'm', text: 'And also this.' }).then(
        () => true,
        () => false,
      );
      return { taken, result: (await handle.result()) as AgentRunResult };
    }),
  );
  expect(outcomes.filter(({ taken }) => taken).map(({ result }) => result.output)).toEqual(outcomes.filter(({ taken }) => taken).map(() => 'heard you'));
  expect(outcomes.filter(({ taken }) => !taken).every(({ result }) => result.output === 'first answer')).toBe(true);
});

test('after the last step that the run may take, its answer stands, and says that a message was not answered', async () => {
  const handle = await stage.start({ prompt: 'SLOW', limits: { maxSteps: 1 } as never }, { id: 'last-step' });
  await untilCalling(handle);
  await agent.addUserMessage('last-step', 'And also this.');
  expect(await handle.result()).toMatchObject({ status: 'completed', output: 'first answer', steps: 1, message: expect.stringContaining('not answered') });
  expect(await stage.store.listAttempts((await stage.run('last-step')).runKey)).toHaveLength(1);
});

test('a message takes no step that the budget does not have, and the answer given before stays the output', async () => {
  const handle = await stage.start({ prompt: 'SLOW', models: [{ model: 'gpt-5-mini' }], budgetLimitNanoUsd: 1_250_000 }, { id: 'no-money' });
  await untilCalling(handle);
  await agent.addUserMessage('no-money', 'x'.repeat(6_000));
  expect(await handle.result()).toMatchObject({ status: 'budgetExhausted', output: 'first answer', steps: 1 });
  expect(await stage.ledgerProblems('no-money')).toEqual([]);
});

test('the same message again changes nothing, also after the run continued as new', async () => {
  const handle = await stage.start({ prompt: 'GATED', tools: await tools(), limits: { maxHistoryEvents: 50 } as never }, { id: 'carried' });
  await stage.openGate(handle);
  const before = (await handle.describe()).runId;
  await agent.addUserMessage('carried', 'And also this.', { messageId: 'm' });
  await agent.addUserMessage('carried', 'And also this.', { messageId: 'm' });
  for (let count = 0; count < 30; count += 1) await handle.signal('approve', { nonsense: count });
  const latest = stage.client.workflow.getHandle('carried');
  await waitFor('the next execution', async () => (await latest.describe()).runId !== before);
  await agent.addUserMessage('carried', 'And also this.', { messageId: 'm' });
  await agent.addUserMessage('carried', 'And that.', { messageId: 'n' });
  await stage.approve(latest);
  expect(await latest.result()).toMatchObject({ status: 'completed' });
  expect(textsFrom(await lastTranscript('carried')).slice(1)).toEqual(['And also this.', 'And that.']);
});

test('a reset run hears the messages again, once each', async () => {
  const handle = await stage.start({ prompt: 'GATED', tools: await tools() }, { id: 'reset' });
  await stage.openGate(handle);
  await agent.addUserMessage('reset', 'And also this.', { messageId: 'm' });
  await waitFor('the message', async () => (await lastAudit('reset')).includes('message.added'));
  const { events } = await handle.fetchHistory();
  const firstTask = events?.find((event) => event.workflowTaskCompletedEventAttributes)?.eventId;
  await stage.client.workflowService.resetWorkflowExecution({
    namespace: 'default',
    workflowExecution: { workflowId: 'reset', runId: (await handle.describe()).runId },
    reason: 'test',
    requestId: randomUUID(),
    workflowTaskFinishEventId: firstTask ?? null,
  });
  const latest = stage.client.workflow.getHandle('reset');
  const gate = await stage.openGate(latest);
  await latest.signal('approve', { approvalId: gate.approvalId, actionDigest: gate.actionDigest });
  expect(await latest.result()).toMatchObject({ status: 'completed', output: 'heard you' });
  expect(textsFrom(await lastTranscript('reset')).slice(1)).toEqual(['And also this.']);
  expect(await stage.ledgerProblems('reset')).toEqual([]);
});
async function lastAudit(agentRunId: string): Promise<string[]> {
  return (await auditNotes(stage.store, (await stage.run(agentRunId)).runKey)).map(({ type }) => type);
}

test('a long text travels through the store, never through history; without a store it is refused', async () => {
  const handle = await stage.start({ prompt: 'SLOW' }, { id: 'long-text' });
  await untilCalling(handle);
  const text = `And also this. ${'ö'.repeat(20_000)}`;
  const storeless = createAgentClient({ client: stage.client, identity: { name: 'alice', roles: [] } });
  await expect(storeless.addUserMessage('long-text', text)).rejects.toMatchObject({ type: 'invalidInput', message: expect.stringContaining('store') });
  await expect(agent.addUserMessage('long-text', 'x'.repeat(200_000))).rejects.toMatchObject({ message: expect.stringContaining('limits.maxMessageBytes') });
  await agent.addUserMessage('long-text', text);
  expect(await handle.result()).toMatchObject({ output: 'heard you' });
  expect(textsFrom(await lastTranscript('long-text')).at(-1)).toBe(text);
  const { events } = await handle.fetchHistory();
  expect(Math.max(...(events ?? []).map((event) => Buffer.byteLength(JSON.stringify(event))))).toBeLessThan(16_384);
});

test('garbage, undecodable payloads included, never fails a workflow task; more messages than there is room for are refused', async () => {
  const handle = await stage.start({ prompt: 'GATED', tools: await tools(), limits: { maxPendingMessages: 2 } as never }, { id: 'noise' });
  await stage.openGate(handle);
  for (const payload of [undefined, null, 7, [], {}, { messageId: 'm' }, { messageId: 'm', text: 'x'.repeat(20_000) }, { messageId: '../m', text: 'x' }])
    await handle.signal('addUserMessage', payload);
  await stage.client.workflowService.signalWorkflowExecution({
    namespace: 'default',
    workflowExecution: { workflowId: 'noise' },
    signalName: 'addUserMessage',
    input: { payloads: [{ metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('{not json') }] },
  });
  // A text that the store lacks is refused by the activity, and audited.
  await handle.signal('addUserMessage', { messageId: 'lost', contentDigest: 'a'.repeat(64) });
  await waitFor('the refusal', async () => (await lastAudit('noise')).includes('message.refused'));
  await agent.addUserMessage('noise', 'one');
  await agent.addUserMessage('noise', 'two');
  await expect(agent.addUserMessage('noise', 'three')).rejects.toMatchObject({ type: 'tooManyMessages' });
  await stage.approve(handle);
  expect(await handle.result()).toMatchObject({ status: 'completed' });
  expect(textsFrom(await lastTranscript('noise')).slice(1)).toEqual(['one', 'two']);
  const { events } = await handle.fetchHistory();
  expect(events?.filter((event) => event.workflowTaskFailedEventAttributes)).toEqual([]);
});

test('a run that was never pinned ends all the same, and a message to it holds nothing up', async () => {
  const handle = await stage.client.workflow.signalWithStart('agentRun', {
    taskQueue: 'tollgate',
    workflowId: 'unpinned',
    args: [{ version: 1, task: { type: 'named', name: 'no-such-task' }, input: { message: 'hi' }, tenant: 't', feature: 'f', requester: 'r' }],
    signal: 'addUserMessage',
    signalArgs: [{ messageId: 'm', text: 'hello' }],
  });
  await expect(handle.result()).rejects.toMatchObject({ cause: { type: 'unknownTask' } });
});
