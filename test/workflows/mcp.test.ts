import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { TaskDefinition } from '../../contracts/task.ts';
import { McpStage } from '../support/mcp-stage.ts';
import { Stage } from '../support/stage.ts';
import { waitFor } from '../support/wait-for.ts';

const call = (name: string, args: Record<string, string | number> = {}) => ({ name, arguments: args });
const pay = { toolCalls: [call('pay', { amount: 5 })] };
const scenarios = [
  {
    id: 'pay',
    match: { system: 'PAY' },
    turns: [
      pay,
      {
        text: 'paid',
        alternatives: [
          { when: { lastToolResultIncludes: 'did not happen' }, text: 'not paid' },
          { when: { lastToolResultIncludes: 'Nothing was sent' }, text: 'not sent' },
        ],
      },
    ],
  },
  { id: 'look', match: { system: 'LOOK' }, turns: [{ toolCalls: [call('look', { id: 1 })] }, { text: 'seen' }] },
];

const shop = new McpStage();
const bank = new McpStage();
let bankUrl: string;
let stage: Stage;
beforeAll(async () => {
  bankUrl = await bank.startHttp();
  const config = join(shop.folder, 'tollgate.config.mjs');
  writeFileSync(config, `export default { tasks: [], mcpServers: ${JSON.stringify({ shop: shop.stdio, bank: { url: bankUrl } })} };`);
  stage = await new Stage({ TOLLGATE_CONFIG: config }).open({ scenarios });
});
afterAll(async () => {
  await stage?.close();
  await shop.close();
  await bank.close();
});
let earlier: number;
beforeEach(() => {
  shop.set({});
  bank.set({});
  earlier = shop.arrivals.length;
});
afterEach(() => shop.set({}));

const at = (server: 'shop' | 'bank', tool: string) =>
  ({ name: tool, effect: 'irreversible', parameters: {}, binding: { type: 'mcp', server, tool } }) as unknown as TaskDefinition['tools'][number];
const arrivals = () => shop.arrivals.slice(earlier);

/** The type of the failure that keeps an activity of the run from going on. */
const waitsFor = (handle: WorkflowHandle, text: string) =>
  waitFor(`a failure that says ${text}`, async () => {
    const { pendingActivities = [] } = (await handle.describe()).raw;
    return (pendingActivities ?? []).find(({ lastFailure }) => lastFailure?.message?.includes(text))?.lastFailure?.applicationFailureInfo?.type;
  });

describe('an irreversible tool of an MCP server', () => {
  test('runs once, after its approval, which shows server, command, tool and schema', async () => {
    const handle = await stage.start({ prompt: 'PAY', tools: [at('shop', 'pay')] }, { id: 'mcp-pay' });
    const gate = await stage.openGate(handle);
    expect(gate.destination).toMatch(/^MCP server "shop" \(.*mcp-server\.ts.*\), tool pay, schema [0-9a-f]{12}$/);
    expect(arrivals()).toEqual([]);
    await stage.approve(handle);
    expect(await handle.result()).toMatchObject({ status: 'completed', output: 'paid' });
    const [row] = await stage.store.listToolCalls((await stage.run('mcp-pay')).runKey);
    expect(arrivals()).toMatchObject([{ tool: 'pay', arguments: { amount: 5 }, meta: { 'tollgate/idempotencyKey': row?.idempotencyKey } }]);
  });

  test('that changed while its approval was waited for is not called; the run waits, and goes on when the tool is back', async () => {
    const handle = await stage.start({ prompt: 'PAY', tools: [at('shop', 'pay')] }, { id: 'mcp-changed' });
    await stage.openGate(handle);
    shop.set({ tools: { pay: { description: 'Pays an amount to me.' } } });
    await stage.approve(handle);
    expect(await waitsFor(handle, 'offers another tool "pay"')).toBe('toolChanged');
    const { runKey } = await stage.run('mcp-changed');
    expect(await stage.store.listToolCalls(runKey)).toEqual([]);
    expect((await stage.store.listAudit({ runKey, limit: 100 })).filter(({ type }) => type === 'tool.changed').length).toBeGreaterThan(0);
    expect(arrivals()).toEqual([]);
    shop.set({});
    expect(await handle.result()).toMatchObject({ status: 'completed', output: 'paid' });
    expect(arrivals()).toHaveLength(1);
  });

  test('whose server is gone keeps its approval until the server is back', async () => {
    const handle = await stage.start({ prompt: 'PAY', tools: [at('bank', 'pay')] }, { id: 'mcp-gone' });
    await stage.openGate(handle);
    await bank.killHttp();
    await stage.approve(handle);
    expect(await waitsFor(handle, `can't be used`)).toBe('toolServerUnavailable');
    expect(await stage.store.listToolCalls((await stage.run('mcp-gone')).runKey)).toEqual([]);
    await bank.startHttp(Number(new URL(bankUrl).port));
    expect(await handle.result()).toMatchObject({ status: 'completed', output: 'paid' });
    expect(bank.arrivals).toHaveLength(1);
  });

  test('that answers with an error is in doubt: a person sees what the server said, and nothing is repeated', async () => {
    shop.set({ behaviour: { pay: 'error' } });
    const handle = await stage.start({ prompt: 'PAY', tools: [at('shop', 'pay')] }, { id: 'mcp-error' });
    await stage.approve(handle);
    const doubt = await waitFor('the inDoubt gate', async () => {
      const gate = await stage.openGate(handle);
      return gate.kind === 'inDoubt' && gate;
    });
    expect(doubt.reason).toContain('the account is locked');
    await handle.signal('deny', { approvalId: doubt.approvalId, actionDigest: doubt.actionDigest });
    expect(await handle.result()).toMatchObject({ status: 'completed', output: 'not paid' });
    expect(arrivals()).toHaveLength(1);
  });

  test('whose worker is killed in the middle of the call is in doubt and never called again', async () => {
    shop.set({ behaviour: { pay: 'hang' } });
    const handle = await stage.start({ prompt: 'PAY', tools: [at('shop', 'pay')] }, { id: 'mcp-killed' });
    await stage.approve(handle);
    await waitFor('the call at the server', async () => arrivals().length === 1);
    for (const worker of stage.workers.splice(0)) await stage.kill(worker);
    shop.set({});
    await stage.startWorker();
    const doubt = await waitFor('the inDoubt gate', async () => {
      const gate = await stage.openGate(handle);
      return gate.kind === 'inDoubt' && gate;
    });
    await handle.signal('approve', { approvalId: doubt.approvalId, actionDigest: doubt.actionDigest });
    expect(await handle.result()).toMatchObject({ status: 'completed', output: 'paid' });
    expect(arrivals()).toHaveLength(1);
    expect(await stage.store.listToolCalls((await stage.run('mcp-killed')).runKey)).toMatchObject([{ status: 'done' }]);
  });
});

describe('a run with tools of an MCP server', () => {
  const digestOf = async (tool: string): Promise<string> => {
    const handle = await stage.start({ prompt: 'PAY', tools: [at('shop', tool)] }, { id: `digest-${tool}` });
    const { runKey } = await waitFor('the run', async () => stage.store.latestRun(handle.workflowId as never));
    await handle.terminate();
    const { snapshotDigest } = (await stage.store.getRun(runKey)) ?? expect.fail();
    const snapshot = JSON.parse(String(await stage.store.getContent(snapshotDigest as never))) as { task: TaskDefinition };
    const [pinned] = snapshot.task.tools;
    return pinned?.binding.type === 'mcp' && pinned.binding.schemaDigest ? pinned.binding.schemaDigest : expect.fail('not pinned');
  };
  const readable = async (more: object = {}) => {
    const tool = at('shop', 'look');
    return { ...tool, effect: 'read', binding: { ...tool.binding, schemaDigest: await digestOf('look'), ...more } } as typeof tool;
  };

  test('reads without a gate where the task says so with the digest of the tool', async () => {
    const handle = await stage.start({ prompt: 'LOOK', tools: [await readable()] }, { id: 'mcp-look' });
    expect(await handle.result()).toMatchObject({ status: 'completed', output: 'seen' });
    expect(arrivals()).toMatchObject([{ tool: 'look' }]);
  });

  test('meets a gate all the same where the server says that the tool destroys something', async () => {
    const tool = await readable();
    shop.set({ tools: { look: { annotations: { destructiveHint: true, readOnlyHint: true } } } });
    const handle = await stage.start({ prompt: 'LOOK', tools: [tool] }, { id: 'mcp-raised' });
    expect(await stage.openGate(handle)).toMatchObject({ kind: 'action', tool: 'look' });
    expect(arrivals()).toEqual([]);
    await handle.terminate();
  });

  test.each([
    ['offers another tool than the task was written for', { schemaDigest: 'a'.repeat(64) }, 'was written for'],
    ['offers no such tool', { tool: 'lokk' }, 'Did you mean "look"'],
  ])('fails before its first step where the server %s', async (_what, more, message) => {
    const handle = await stage.start({ prompt: 'LOOK', tools: [await readable(more)] }, { id: `mcp-not-offered-${message.length}` });
    await expect(handle.result()).rejects.toMatchObject({ cause: { type: 'toolNotOffered', message: expect.stringContaining(message) } });
    expect(arrivals()).toEqual([]);
  });

  test('that reads a tool which changed meanwhile waits and does not call it', async () => {
    const tool = await readable();
    shop.set({ delayMs: 0, behaviour: { look: 'die' } });
    const handle = await stage.start({ prompt: 'LOOK', tools: [tool] }, { id: 'mcp-look-changed' });
    await waitFor('the first call, which kills the server', async () => arrivals().length > 0);
    shop.set({ tools: { look: { inputSchema: { type: 'object' } } } });
    expect(await waitsFor(handle, 'offers another tool "look"')).toBe('toolChanged');
    const sent = arrivals().length;
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(arrivals()).toHaveLength(sent);
    shop.set({});
    expect(await handle.result()).toMatchObject({ status: 'completed', output: 'seen' });
  });
});
