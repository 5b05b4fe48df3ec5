import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createOpenAiEndpoint } from '../../adapters/providers/openai/openai-endpoint.ts';
import type { ScenarioInput } from '../../adapters/providers/simulated/scenario.ts';
import type { PriceTable } from '../../contracts/budget.ts';
import type { ModelApi, ModelRequest } from '../../contracts/model.ts';
import { reportOf } from '../../domain/budget/outcome-report.ts';
import type { OutcomeReport } from '../../domain/store/port.ts';
import { place, scenario, start } from './simulated-provider-fixture.ts';

const price: PriceTable = {
  model: 'm',
  source: 'test',
  input: { picoUsdPerToken: 250_000 },
  cachedInput: { picoUsdPerToken: 25_000 },
  output: { picoUsdPerToken: 2_000_000 },
};
const apis = ['chat', 'responses'] as const;
type Fault = NonNullable<ScenarioInput['turns'][number]['faults']>[number];

interface Outcome {
  readonly report: OutcomeReport;
  readonly billNanoUsd: number;
}

/** What a streamed call comes to that meets `fault`, and what the provider charges for it. */
async function streamWith(api: ModelApi, fault: Fault, timeoutMs = 5_000): Promise<Outcome> {
  const billFile = join(place.folder, `${randomUUID()}.jsonl`);
  const { provider } = await start({ ...scenario({ text: 'Words and more words. '.repeat(20), faults: [fault] }), billFile });
  const endpoint = createOpenAiEndpoint({ baseUrl: provider.url, api, apiKey: 'none', isOpenAi: true, streamIdleTimeoutMs: 300 });
  const request: ModelRequest = {
    model: 'gpt-5-mini',
    api,
    messages: [{ role: 'user', text: 'Hi' }],
    tools: [],
    maxOutputTokens: 500,
    background: false,
    stream: true,
  };
  const unused = () => Promise.reject(new Error('no background response'));
  const result = await endpoint.send(request, { signal: AbortSignal.timeout(timeoutMs), clientRequestId: 'a1', onResponseId: unused });
  await expect.poll(() => provider.bill().length).toBe(1);
  return { report: reportOf(result, price, Date.now()), billNanoUsd: provider.bill()[0]?.nanoUsd ?? Number.NaN };
}

const HELD: readonly (readonly [name: string, fault: Fault, errorClass: string])[] = [
  ['cut in the middle', { type: 'cutStream' }, 'connectionLost'],
  ['cut before its first piece', { type: 'cutStream', afterChunks: 0 }, 'connectionLost'],
  ['cut after its last piece, before its usage', { type: 'cutStream', afterChunks: 10_000 }, 'connectionLost'],
  ['cut after the work', { type: 'cutAfterWork' }, 'connectionLost'],
  ['hung in the middle', { type: 'hangInStream' }, 'timeout'],
  ['broken off with an error', { type: 'errorInStream' }, 'serverError'],
  ['broken off with words that would be a refusal', { type: 'errorInStream', code: 'rate_limit_exceeded' }, 'rateLimited'],
  ['ended in good order before the reply did', { type: 'endsEarly' }, 'connectionLost'],
  ['with a chunk that is no JSON', { type: 'malformedChunk' }, 'invalidResponse'],
  ['with nothing in it', { type: 'emptyStream' }, 'connectionLost'],
  ['that is a page of HTML', { type: 'malformed' }, 'invalidResponse'],
];

describe.each(apis)('a stream (%s)', (api) => {
  test.each(HELD)('%s: the money stays held, and the same model may be tried again', async (_name, fault, errorClass) => {
    const { report, billNanoUsd } = await streamWith(api, fault);
    expect(report.outcome).toMatchObject({ type: 'failed', verdict: { class: errorClass, billed: 'unknown', retrySameModel: true } });
    expect(report).not.toHaveProperty('money');
    expect(report).not.toHaveProperty('reply');
    expect(billNanoUsd).toBeGreaterThan(0);
  });

  test('that is slow but alive is waited for', async () => {
    const { report, billNanoUsd } = await streamWith(api, { type: 'slowStream', chunkDelayMs: 60 });
    expect(report).toMatchObject({ outcome: { type: 'reply' }, money: { type: 'settle', costNanoUsd: billNanoUsd } });
  });

  test('past its deadline is given up, and its money stays held', async () => {
    const { report } = await streamWith(api, { type: 'slowStream', chunkDelayMs: 100 }, 350);
    expect(report.outcome).toMatchObject({ verdict: { class: 'timeout', billed: 'unknown' } });
    expect(report).not.toHaveProperty('money');
  });

  test('without usage is a reply whose money stays held', async () => {
    const { report } = await streamWith(api, { type: 'noUsage' });
    expect(report).toMatchObject({ outcome: { type: 'reply' }, reply: { finishReason: 'stop' } });
    expect(report).not.toHaveProperty('money');
  });

  test('with an error in place of the reply: a refusal is free, a server error is not known to be', async () => {
    const refused = await streamWith(api, { type: 'errorInStream', afterChunks: 0, code: 'rate_limit_exceeded' });
    expect(refused).toMatchObject({
      billNanoUsd: 0,
      report: { outcome: { verdict: { class: 'rateLimited', billed: 'no' } }, money: { type: 'settle', costNanoUsd: 0 } },
    });
    expect((await streamWith(api, { type: 'errorInStream', afterChunks: 0 })).report).not.toHaveProperty('money');
  });
});

test('a chat stream without [DONE] is whole: its finish reason and its usage were there', async () => {
  const { report, billNanoUsd } = await streamWith('chat', { type: 'noDone' });
  expect(report).toMatchObject({ outcome: { type: 'reply' }, money: { type: 'settle', costNanoUsd: billNanoUsd } });
});
