import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AgentRunResult } from '../../contracts/agent-run.ts';
import { Destination } from '../support/destination.ts';
import { Stage } from '../support/stage.ts';
import { httpTools } from '../support/tools.ts';
import { waitFor } from '../support/wait-for.ts';

const STEPS = 10;
const looks = Array.from({ length: STEPS - 1 }, (_, index) => ({ toolCalls: [{ name: 'look', arguments: { id: index } }] }));
const scenarios = [
  { id: 'many', match: { system: 'MANY' }, turns: [...looks, { text: 'done' }] },
  {
    id: 'once',
    match: { system: 'ONCE' },
    turns: [
      { toolCalls: [{ name: 'look', arguments: { id: 1 } }] },
      { text: 'seen', alternatives: [{ when: { lastToolResultIncludes: 'error' }, text: 'told' }] },
    ],
  },
  {
    id: 'mixed',
    match: { system: 'MIXED' },
    turns: [{ toolCalls: ['look', 'fetch', 'look'].map((name, id) => ({ name, arguments: { id } })) }, { text: 'seen' }],
  },
];
const stage = new Stage();
const destination = new Destination();
beforeAll(async () => {
  await destination.open();
  await stage.open({ scenarios });
});
afterAll(async () => {
  try {
    await stage.record('local', 'mixed');
  } finally {
    await stage.close();
    destination.close();
  }
});

const tools = (isLocal: boolean) =>
  httpTools(destination.url, { look: 'read', fetch: 'read' }).map((tool) => (isLocal && tool.name === 'look' ? { ...tool, local: true } : tool)) as never;

async function eventsOf(handle: WorkflowHandle) {
  const events = (await handle.fetchHistory()).events ?? [];
  return {
    count: events.length,
    activities: events.flatMap((event) => event.activityTaskScheduledEventAttributes?.activityType?.name ?? []),
    bytes: Number((await handle.describe()).raw.workflowExecutionInfo?.historySizeBytes),
    tasksFailed: events.filter((event) => event.workflowTaskFailedEventAttributes).length,
  };
}
const journalOf = async (id: string) =>
  (await stage.store.listToolCalls((await stage.run(id)).runKey)).map(({ tool, effect, status, isError, result }) => ({
    tool,
    effect,
    status,
    isError,
    result,
  }));

test('a local read leaves less history and the very same journal', async () => {
  const ordinary = await stage.start({ prompt: 'MANY', tools: tools(false) }, { id: 'ordinary' });
  const local = await stage.start({ prompt: 'MANY', tools: tools(true) }, { id: 'local' });
  const results = (await Promise.all([ordinary.result(), local.result()])) as AgentRunResult[];
  expect(results).toMatchObject([
    { status: 'completed', steps: STEPS },
    { status: 'completed', steps: STEPS },
  ]);
  expect(await journalOf('local')).toEqual(await journalOf('ordinary'));
  const [full, short] = [await eventsOf(ordinary), await eventsOf(local)];
  expect(full.activities.filter((name) => name === 'executeTool')).toHaveLength(STEPS - 1);
  expect(short.activities.filter((name) => name === 'executeTool')).toEqual([]);
  expect(short.count).toBeLessThanOrEqual(full.count * 0.7);
  expect(short.bytes).toBeLessThan(full.bytes * 0.85);
  expect(await stage.ledgerProblems('local')).toEqual([]);
});

test('local and ordinary reads of one reply run together, and the results stand in the order of the calls', async () => {
  const handle = await stage.start({ prompt: 'MIXED', tools: tools(true) }, { id: 'mixed' });
  expect(await handle.result()).toMatchObject({ status: 'completed', output: 'seen' });
  expect((await eventsOf(handle)).activities.filter((name) => name === 'executeTool')).toHaveLength(1);
  const { runKey } = await stage.run('mixed');
  const last = (await stage.store.listAttempts(runKey)).at(-1);
  const transcript = last && (await stage.store.loadTranscript(runKey, last.head));
  expect(transcript?.type === 'transcript' && transcript.messages.flatMap((message) => (message.role === 'tool' ? [message.name] : []))).toEqual([
    'look',
    'fetch',
    'look',
  ]);
});

test('a read that fails goes the ordinary way, with its tries, and then the model is told', async () => {
  destination.isCut = () => true;
  const handle = await stage.start({ prompt: 'ONCE', tools: tools(true) }, { id: 'failing' });
  expect(await handle.result()).toMatchObject({ status: 'completed', output: 'told' });
  destination.isCut = () => false;
  expect(await journalOf('failing')).toMatchObject([{ status: 'failed', isError: true }]);
  expect((await eventsOf(handle)).activities.filter((name) => name === 'executeTool')).toHaveLength(1);
});

test('a read that is not short after all goes the ordinary way and has the time that the task gives it', async () => {
  let first = true;
  const before = destination.arrivals.length;
  destination.delayMs = () => (first ? 8_000 : 0);
  const handle = await stage.start({ prompt: 'ONCE', tools: tools(true) }, { id: 'not-short' });
  await waitFor('the first request', async () => destination.arrivals.length > before);
  first = false;
  expect(await handle.result()).toMatchObject({ status: 'completed', output: 'seen' });
  destination.delayMs = () => 0;
  expect(destination.arrivals.length).toBe(before + 2);
  expect(await eventsOf(handle)).toMatchObject({ tasksFailed: 0, activities: expect.arrayContaining(['executeTool']) });
});

test('a worker killed in a local read: another does it again within ten seconds and some, and nothing is paid twice', async () => {
  const before = destination.arrivals.length;
  destination.delayMs = () => 4_000;
  const handle = await stage.start({ prompt: 'ONCE', tools: tools(true) }, { id: 'killed' });
  await waitFor('the read', async () => destination.arrivals.length > before);
  const [worker] = stage.workers;
  if (!worker) throw new Error('no worker');
  await stage.kill(worker);
  const killedAtMs = Date.now();
  destination.delayMs = () => 0;
  await stage.startWorker();
  await waitFor('the read again', async () => destination.arrivals.length > before + 1);
  expect(Date.now() - killedAtMs).toBeLessThan(15_000);
  expect(await handle.result()).toMatchObject({ status: 'completed', output: 'seen' });
  expect(await journalOf('killed')).toMatchObject([{ status: 'done' }]);
  expect(await stage.store.listAttempts((await stage.run('killed')).runKey)).toHaveLength(2);
  expect(await stage.ledgerProblems('killed')).toEqual([]);
});
