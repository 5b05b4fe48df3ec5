import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { feedbackOf } from '../../adapters/sinks/feedback.ts';
import { openSinks, type TraceOptions } from '../../adapters/sinks/open-sinks.ts';
import type { AgentRunResult } from '../../contracts/agent-run.ts';
import type { RunKey } from '../../contracts/ids.ts';
import { spanIdOf, traceOf } from '../../telemetry/trace-ids.ts';
import { newFeedback } from '../support/store-contract/feedback-contract.ts';
import { findPhoenix, Phoenix } from '../support/phoenix.ts';
import { Stage } from '../support/stage.ts';
import { recordedTools } from '../support/tools.ts';
import { waitFor } from '../support/wait-for.ts';

const PICTURES = fileURLToPath(new URL('../../docs/pictures', import.meta.url));
const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
const found = findPhoenix();
if ('missing' in found) process.stdout.write(`skipped: runs in a real Phoenix, because ${found.missing}\n`);
const call = (name: string, args: Record<string, number>) => ({ name, arguments: args });
const scenarios = [
  {
    id: 'refund',
    match: { system: 'You look after orders' },
    turns: [
      { toolCalls: [call('find_order', { id: 1 })], byModel: { 'gpt-5-mini': { faults: [{ type: 'rateLimit' as const, attempt: 1, retryAfterMs: 50 }] } } },
      { toolCalls: [call('refund', { id: 1 })] },
      { text: 'The order is refunded.' },
    ],
  },
];
const OPTIONS: TraceOptions = { timeoutMs: 5_000, compression: 'none', vendors: [], withContent: true, resource: {}, isOff: false };
const phoenix = new Phoenix();
let stage: Stage;

describe.skipIf('missing' in found)('with a real Phoenix', () => {
  beforeAll(async () => {
    if ('missing' in found) return;
    await phoenix.open(found.bin);
    stage = new Stage({
      TOLLGATE_TRACE_SINKS: 'phoenix',
      PHOENIX_COLLECTOR_ENDPOINT: phoenix.url,
      PHOENIX_PROJECT_NAME: 'refunds',
      TOLLGATE_TRACE_CONTENT: '1',
    });
    await stage.open({ scenarios });
  }, 240_000);
  afterAll(async () => {
    await stage?.close();
    await phoenix.close();
  });

  test('a run is one tree there, of the kinds it knows, and its own sum of the cost is ours', async () => {
    const lines = [
      { name: 'find_order', arguments: { id: 1 }, result: { total: 20 } },
      { name: 'refund', arguments: { id: 1 }, result: { refunded: true } },
    ];
    const tools = await recordedTools(stage, { find_order: 'read', refund: 'irreversible' }, lines);
    const handle = await stage.start(
      { name: 'refunds', prompt: 'You look after orders.', tools: tools as never },
      { id: 'refund-1', message: 'Please refund order 1.' },
    );
    await stage.approve(handle);
    expect(((await handle.result()) as AgentRunResult).status).toBe('completed');
    const run = await stage.run('refund-1');
    const project = await waitFor(
      'the whole trace in Phoenix',
      async () => {
        const shown = await phoenix.project('refunds');
        const priced = shown?.spans.filter(({ costSummary }) => (costSummary?.total.cost ?? 0) > 0).length ?? 0;
        return shown && priced >= 3 && shown.spans.some(({ name }) => name === 'invoke_agent refunds') ? shown : null;
      },
      60_000,
    );
    expect(project.spans.map(({ name, spanKind }) => [name, spanKind.toUpperCase()]).toSorted()).toEqual(
      [
        ['invoke_agent refunds', 'AGENT'],
        ['step 1', 'CHAIN'],
        ['step 2', 'CHAIN'],
        ['step 3', 'CHAIN'],
        ...Array.from({ length: 4 }, () => ['chat gpt-5-mini', 'LLM']),
        ['execute_tool find_order', 'TOOL'],
        ['execute_tool refund', 'TOOL'],
        ['gate refund', 'CHAIN'],
      ].toSorted(),
    );
    const theirs = project.spans.reduce((sum, { costSummary, spanKind }) => sum + (spanKind.toUpperCase() === 'LLM' ? (costSummary?.total.cost ?? 0) : 0), 0);
    const ours = (await stage.store.getLedger(run.runKey))?.settledNanoUsd ?? 0;
    expect(ours).toBeGreaterThan(0);
    // Each of ours is rounded up to a whole nano-USD; theirs are floats.
    expect(Math.abs(theirs * 1e9 - ours)).toBeLessThanOrEqual(4);
    const tokens = project.spans.reduce((sum, { spanKind, tokenCountTotal }) => sum + (spanKind.toUpperCase() === 'LLM' ? (tokenCountTotal ?? 0) : 0), 0);
    const attempts = await stage.store.listAttempts(run.runKey);
    expect(tokens).toBe(attempts.reduce((sum, { usage }) => sum + (usage ? usage.inputTokens + usage.outputTokens : 0), 0));
    await feedbackShows(run.runKey);
    await picture(`${phoenix.url}/projects/${project.id}/traces/${traceOf(run).traceId}`);
  }, 180_000);
});

/** What people thought of the run and of a step is on their spans there, once, however often it is sent. */
async function feedbackShows(runKey: RunKey): Promise<void> {
  const given = [newFeedback(runKey, { label: 'helpful', comment: 'quick' }), newFeedback(runKey, { feedbackId: 'f2', step: 2, scorePerMille: -1_000 })];
  for (const feedback of given) await stage.store.putFeedback(feedback);
  const spanIds = [spanIdOf(runKey, { type: 'run' }), spanIdOf(runKey, { type: 'step', step: 2 })];
  const shown = async () => (await phoenix.annotations('refunds', spanIds)).toSorted((one, other) => other.result.score - one.result.score);
  const annotations = await waitFor('the feedback in Phoenix', async () => ((await shown()).length === 2 ? await shown() : null), 30_000);
  expect(annotations).toMatchObject([
    { span_id: spanIds[0], name: 'user_feedback', annotator_kind: 'HUMAN', identifier: 'f1', result: { score: 1, label: 'helpful', explanation: 'quick' } },
    { span_id: spanIds[1], name: 'user_feedback', annotator_kind: 'HUMAN', identifier: 'f2', result: { score: -1 } },
  ]);
  const [opened] = openSinks(OPTIONS, { phoenix: { type: 'phoenix', url: phoenix.url, project: 'refunds', content: true } }, () => undefined);
  expect(await opened?.sink.sendFeedback(await feedbackOf(stage.store, runKey, 'f1', true))).toEqual({ type: 'taken', rejected: 0 });
  expect(await shown()).toHaveLength(2);
  const unknown = { ...(await feedbackOf(stage.store, runKey, 'f1', true)), aboutSpanId: 'abcdefabcdefabcd' };
  expect(await opened?.sink.sendFeedback(unknown)).toMatchObject({ type: 'unavailable', isUnknown: true });
}

/** TOLLGATE_TAKE_PICTURES=1 writes the picture that docs/telemetry.md shows. */
async function picture(url: string): Promise<void> {
  if (!process.env.TOLLGATE_TAKE_PICTURES || CHROMIUM === undefined) return;
  mkdirSync(PICTURES, { recursive: true });
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] });
  try {
    const page = await browser.newPage({ viewport: { width: 1600, height: 900 } });
    await page.goto(url);
    await page.getByText('execute_tool refund').first().waitFor({ timeout: 60_000 });
    // The bars grow.
    await page.waitForTimeout(3_000);
    await page.screenshot({ path: join(PICTURES, 'phoenix-trace.png') });
  } finally {
    await browser.close();
  }
}
