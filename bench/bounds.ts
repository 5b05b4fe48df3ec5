import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createOpenAiEndpoint } from '../adapters/providers/openai/openai-endpoint.ts';
import { openSqliteStore } from '../adapters/stores/sqlite/sqlite-store.ts';
import type { ToolCallId } from '../contracts/ids.ts';
import type { ModelRequest, TranscriptMessage } from '../contracts/model.ts';

/**
 * `node bench/bounds.ts`: what bounding the input costs in a run of 20 steps, whose transcript grows by a call and a result of
 * 1 KB each step. In CPU milliseconds, so that other work on the machine counts as little as it can.
 */
const STEPS = 20;
const ROUNDS = 15;

const prompt: TranscriptMessage = { role: 'system', text: 'You help people with their orders. '.repeat(60) };
const endpoint = createOpenAiEndpoint({ apiKey: 'x', baseUrl: 'http://127.0.0.1:9/v1', api: 'responses', isOpenAi: true, encodingOf: () => 'o200k_base' });

function step(round: number, index: number): TranscriptMessage[] {
  const toolCallId = `call_${index}` as ToolCallId;
  const result = JSON.stringify(Array.from({ length: 16 }, (_, part) => ({ order: `W-${round}-${index}-${part}`, status: 'on its way', items: part })));
  return [
    { role: 'assistant', text: null, toolCalls: [{ toolCallId, name: 'find_order', argumentsText: `{"order":"W-${round}-${index}"}` }] },
    { role: 'tool', toolCallId, name: 'find_order', text: result, isError: false },
  ];
}

function requests(round: number): ModelRequest[] {
  const messages: TranscriptMessage[] = [prompt, { role: 'user', text: `Where is my order? (${round})` }];
  return Array.from({ length: STEPS }, (_, index) => {
    messages.push(...step(round, index));
    return { model: 'gpt-5-mini', api: 'responses', messages: [...messages], tools: [], maxOutputTokens: 512, background: false };
  });
}

async function cpuMs(body: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await body();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

const folder = mkdtempSync(join(tmpdir(), 'tollgate-bench-'));
const store = await openSqliteStore({ path: join(folder, 'tollgate.db') });
const memory = process.memoryUsage().rss;
const load = await cpuMs(async () => await endpoint.tokenBound?.(requests(0)[0] as ModelRequest));
console.log(`loading the encoder, once, where it is needed: ${load.toFixed(0)} ms, ${((process.memoryUsage().rss - memory) / 1e6).toFixed(0)} MB`);

const results: Record<string, number[]> = {
  'by bytes': [],
  'what was learnt of the model (SQLite)': [],
  'by tokens, counted once': [],
  'by tokens, each step anew': [],
};
for (let round = 1; round <= ROUNDS; round += 1) {
  const asked = requests(round);
  results['by bytes']?.push(await cpuMs(() => asked.map((request) => endpoint.bodyBytes(request))));
  results['what was learnt of the model (SQLite)']?.push(
    await cpuMs(async () => {
      for (const { model } of asked) await store.boundPerMille(model, 'openai');
    }),
  );
  results['by tokens, counted once']?.push(
    await cpuMs(async () => {
      for (const request of asked) await endpoint.tokenBound?.(request);
    }),
  );
  // Other texts of the same kind at every step, so that none was counted before.
  results['by tokens, each step anew']?.push(
    await cpuMs(async () => {
      for (const [index, request] of asked.entries())
        await endpoint.tokenBound?.({
          ...request,
          messages: request.messages.map((message) => (message.text === null ? message : { ...message, text: `${index}${message.text}` })),
        });
    }),
  );
}
console.log(`CPU ms per step, ${STEPS} steps, median of ${ROUNDS} rounds`);
for (const [name, values] of Object.entries(results)) console.log(`${name.padEnd(40)} ${(median(values) / STEPS).toFixed(3)}`);
await store.close();
rmSync(folder, { recursive: true, force: true });
