import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createAgentClient } from '../../client/library/main.ts';
import { reportRun } from '../../client/run-report.ts';
import type { AgentRunResult } from '../../contracts/agent-run.ts';
import { Destination } from '../support/destination.ts';
import { Stage } from '../support/stage.ts';
import { httpTools } from '../support/tools.ts';
import { waitFor } from '../support/wait-for.ts';

const CONFIG = fileURLToPath(new URL('../support/compensation/tollgate.config.ts', import.meta.url));
const call = (name: string, args: Record<string, string | number>) => ({ name, arguments: args });
const trip = [
  { toolCalls: [call('book', { trip: 1 }), call('book', { trip: 2 })] },
  { toolCalls: [call('charge', { amount: 5 })] },
  { toolCalls: [call('ship', { trip: 1 })] },
  { text: 'all done' },
];
const scenarios = [
  { id: 'trip', match: { system: 'TRIP' }, turns: trip },
  {
    id: 'selfmade',
    match: { system: 'SELFMADE' },
    turns: [
      { toolCalls: [call('book', { trip: 1 }), call('book', { trip: 2 })] },
      { toolCalls: [call('unbook', { id: 'book-1' })] },
      { toolCalls: [call('ship', {})] },
    ],
  },
  {
    id: 'rooms',
    match: { system: 'ROOMS' },
    turns: [{ toolCalls: [call('reserve', { room: 1 }), call('broken', { room: 2 })] }, { toolCalls: [call('reserve', { room: 3 })] }],
  },
];
const stage = new Stage({ TOLLGATE_CONFIG: CONFIG });
const destination = new Destination();
beforeAll(async () => {
  await destination.open();
  await stage.open({ scenarios });
});
afterAll(async () => {
  try {
    await stage.record('undone', 'undone-after-cancel');
  } finally {
    await stage.close();
    destination.close();
  }
});
beforeEach(() => {
  destination.arrivals.length = 0;
  destination.delayMs = () => 0;
  destination.isCut = () => false;
  destination.resultOf = ({ tool, arguments: args }) => ({ id: `${tool}-${args.trip ?? args.amount}` });
});

const undo = { book: 'unbook', charge: 'refund' } as Readonly<Record<string, string>>;
const tools = () =>
  httpTools(destination.url, { book: 'write', unbook: 'write', charge: 'irreversible', refund: 'irreversible', ship: 'irreversible' }).map((tool) => {
    const by = undo[tool.name];
    return by ? { ...tool, compensate: { tool: by, arguments: { id: { from: 'result.id' } } } } : tool;
  }) as never;
const start = (id: string, more: object = {}) => stage.start({ prompt: 'TRIP', tools: tools(), onDenied: 'endRun', onFailure: 'compensate', ...more }, { id });
const ran = () => destination.arrivals.map(({ tool, arguments: args }) => `${tool} ${args.id ?? args.trip ?? args.amount}`);
type Handle = Awaited<ReturnType<typeof start>>;

const gateOf = (handle: Handle, tool: string) =>
  waitFor(`the gate of ${tool}`, async () => {
    const open = await stage.openGate(handle);
    return open.tool === tool ? open : null;
  });

async function decideNext(handle: Handle, tool: string, verdict: 'approve' | 'deny') {
  const gate = await gateOf(handle, tool);
  await handle.signal(verdict, { approvalId: gate.approvalId, actionDigest: gate.actionDigest, reason: 'test' });
  return gate;
}

test('a denied run undoes what it did, the last action first, an irreversible undoing behind a gate of its own', async () => {
  const handle = await start('undone');
  await decideNext(handle, 'charge', 'approve');
  await decideNext(handle, 'ship', 'deny');
  const gate = await gateOf(handle, 'refund');
  expect(gate).toMatchObject({ arguments: { id: 'charge-5' } });
  expect(gate.reason).toContain('This undoes "charge"');
  expect(ran()).toEqual(['book 1', 'book 2', 'charge 5']);
  await decideNext(handle, 'refund', 'approve');
  const result = (await handle.result()) as AgentRunResult;
  expect(result).toMatchObject({ status: 'denied', steps: 3, compensation: { undoneCount: 3, leftCount: 0 } });
  expect(result.message).toContain('Undone: charge by refund, book by unbook, book by unbook.');
  expect(ran()).toEqual(['book 1', 'book 2', 'charge 5', 'refund charge-5', 'unbook book-2', 'unbook book-1']);
  expect(new Set(destination.arrivals.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(6);
  const { runKey } = await stage.run('undone');
  const types = (await stage.store.listAudit({ runKey, limit: 100 })).map(({ type }) => type);
  expect(types.filter((type) => type.startsWith('compensation.'))).toEqual(['compensation.planned', 'compensation.ended']);
  expect(await reportRun(stage.store, await stage.run('undone'))).toMatchObject({ status: 'denied', compensation: { undoneCount: 3 } });
});

test('without onFailure, and after an end that compensateOn does not name, nothing is undone', async () => {
  for (const [id, more] of Object.entries({ kept: { onFailure: 'keep' }, 'not-named': { compensateOn: ['failed'] } })) {
    destination.arrivals.length = 0;
    const handle = await start(id, more);
    await decideNext(handle, 'charge', 'approve');
    await decideNext(handle, 'ship', 'deny');
    expect(await handle.result()).toMatchObject({ status: 'denied' });
    expect(ran()).toEqual(['book 1', 'book 2', 'charge 5']);
  }
});

test('a person who denies an undoing stops that one alone, and the end says what was not undone and why', async () => {
  const handle = await start('left');
  await decideNext(handle, 'charge', 'approve');
  await decideNext(handle, 'ship', 'deny');
  await decideNext(handle, 'refund', 'deny');
  const result = (await handle.result()) as AgentRunResult;
  expect(result.compensation).toMatchObject({ undoneCount: 2, left: [{ tool: 'charge', reason: 'a person denied refund' }] });
  expect(result.message).toContain('NOT undone: charge (a person denied refund).');
  expect(ran()).toEqual(['book 1', 'book 2', 'charge 5', 'unbook book-2', 'unbook book-1']);
});

test('an undoing that fails, and one whose action gave nothing to undo it by, are said; an unapproved one is never sent', async () => {
  destination.resultOf = ({ tool, arguments: args }) => (tool === 'book' && args.trip === 2 ? {} : { id: `${tool}-${args.trip ?? args.amount}` });
  const handle = await start('missing', { gates: { irreversible: { role: 'lead', expiresAfterMs: 4_000 } } });
  await decideNext(handle, 'charge', 'approve');
  await decideNext(handle, 'ship', 'deny');
  const result = (await handle.result()) as AgentRunResult;
  expect(result.compensation?.left).toEqual([
    { tool: 'charge', reason: 'refund was not approved (expired)' },
    { tool: 'book', reason: 'what was done has no result.id, which unbook needs' },
  ]);
  expect(ran()).toEqual(['book 1', 'book 2', 'charge 5', 'unbook book-1']);
});

test('what the run undid itself is not undone again', async () => {
  const handle = await stage.start({ prompt: 'SELFMADE', tools: tools(), onDenied: 'endRun', onFailure: 'compensate' }, { id: 'selfmade' });
  await decideNext(handle, 'ship', 'deny');
  expect(await handle.result()).toMatchObject({ compensation: { undoneCount: 1, leftCount: 0 } });
  expect(ran()).toEqual(['book 1', 'book 2', 'unbook book-1', 'unbook book-2']);
});

test('a cancelled run undoes what it did before it is gone, and an approval that was not used yet can not be used any more', async () => {
  const handle = await start('undone-after-cancel', { tools: tools() });
  await decideNext(handle, 'charge', 'approve');
  const ship = await gateOf(handle, 'ship');
  await handle.cancel();
  await decideNext(handle, 'refund', 'approve');
  await expect(handle.result()).rejects.toThrow();
  const run = await stage.run('undone-after-cancel');
  expect(run).toMatchObject({ status: 'cancelled', end: { compensation: { undoneCount: 3, leftCount: 0 } } });
  expect(await stage.store.getGate(run.runKey, ship.approvalId)).toMatchObject({ status: 'withdrawn' });
  expect(ran().filter((line) => line.startsWith('ship'))).toEqual([]);
});

test('a worker that is killed while it undoes leaves nothing undone twice', async () => {
  destination.delayMs = ({ tool }) => (tool === 'unbook' || tool === 'refund' ? 2_500 : 0);
  const handle = await start('killed');
  await decideNext(handle, 'charge', 'approve');
  await decideNext(handle, 'ship', 'deny');
  await decideNext(handle, 'refund', 'approve');
  for (const tool of ['refund', 'unbook']) {
    await waitFor(`${tool} under way`, async () => destination.count(tool) > 0 || null);
    const worker = stage.workers.at(-1);
    if (worker) await stage.kill(worker);
    await stage.startWorker();
  }
  expect(await handle.result()).toMatchObject({ status: 'denied', compensation: { undoneCount: 3, leftCount: 0 } });
  const keys = (tool: string) => new Set(destination.arrivals.filter((arrival) => arrival.tool === tool).map(({ idempotencyKey }) => idempotencyKey)).size;
  expect([keys('refund'), keys('unbook')]).toEqual([1, 2]);
  expect(destination.count('refund')).toBe(1);
});

test('a tool in TypeScript computes what undoes it; one whose function throws is left, with its reason', async () => {
  const agent = createAgentClient({ client: stage.client, store: stage.store, identity: { name: 'alice', roles: [] } });
  await agent.start('rooms' as never, { message: 'Reserve.' } as never, { id: 'rooms' });
  expect(await agent.result('rooms')).toMatchObject({ status: 'failed', failureType: 'maxStepsReached', compensation: { undoneCount: 2, leftCount: 1 } });
  const { runKey, end } = await stage.run('rooms');
  expect(end?.compensation?.left).toEqual([{ tool: 'broken', reason: 'its argumentsFrom failed: no way back' }]);
  const freed = (await stage.store.listToolCalls(runKey)).filter(({ tool }) => tool === 'free').map(({ result }) => result);
  expect(freed).toEqual([{ freed: 3 }, { freed: 1 }]);
});
