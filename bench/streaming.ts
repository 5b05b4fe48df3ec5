import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createOpenAiEndpoint } from '../adapters/providers/openai/openai-endpoint.ts';
import type { ModelApi, ModelRequest } from '../contracts/model.ts';
import { startChild } from '../client/dev/child-process.ts';
import { ratios, show, spreadOf, table } from './support/statistics.ts';

const PROVIDER = fileURLToPath(new URL('../adapters/providers/simulated/main.ts', import.meta.url));
const CONCURRENCY = 8;
/** Pieces of a reply, of about six tokens each, and how many calls make a sample. */
const LENGTHS = [
  { name: 'short', pieces: 8, calls: 240 },
  { name: 'medium', pieces: 50, calls: 160 },
  { name: 'long', pieces: 300, calls: 60 },
] as const;
/** `at once`: all pieces in one packet; `by pieces`: a packet each, as a real model sends them. */
const PACES = ['at once', 'by pieces'] as const;
const APIS: readonly ModelApi[] = ['chat', 'responses'];
const PIECE = 'twenty-four characters. ';

/** Our own CPU per model call, streamed against in one piece, without Temporal and store around it, which both need alike. */
export async function benchStreaming({ rounds = 7 } = {}): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-bench-'));
  const scenarios = LENGTHS.flatMap(({ name, pieces }) =>
    PACES.map((pace) => ({
      id: `${name}-${pace.replace(' ', '-')}`,
      match: { user: `${name} ${pace}` },
      turns: [{ text: PIECE.repeat(pieces), ...(pace === 'at once' ? {} : { faults: [{ type: 'slowStream', chunkDelayMs: 1 }] }) }],
    })),
  );
  writeFileSync(join(folder, 'scenarios.json'), JSON.stringify(scenarios));
  const provider = await startChild({
    name: 'simulated provider',
    script: PROVIDER,
    args: ['--port', '0', '--bill', join(folder, 'bill.jsonl'), '--scenarios', join(folder, 'scenarios.json')],
    env: process.env,
    logPath: join(folder, 'provider.log'),
  });
  try {
    const rows: string[][] = [];
    for (const api of APIS)
      for (const { name, calls } of LENGTHS)
        for (const pace of PACES) {
          const samples: { plain: number[]; streamed: number[] } = { plain: [], streamed: [] };
          const call = caller(String(provider.ready.url), api, `${name} ${pace}`);
          for (let round = -1; round < rounds; round += 1) {
            const order = round % 2 === 0 ? (['plain', 'streamed'] as const) : (['streamed', 'plain'] as const);
            for (const kind of order) {
              const ms = await cpuMsPerCall(() => call(kind === 'streamed'), calls);
              if (round >= 0) samples[kind].push(ms);
            }
          }
          rows.push([api, name, pace, show(spreadOf(samples.plain)), show(spreadOf(samples.streamed)), show(ratios(samples.streamed, samples.plain))]);
          process.stderr.write(`${rows.at(-1)?.join(' | ')}\n`);
        }
    return table(['API', 'reply', 'pieces come', 'in one piece, CPU ms', 'streamed, CPU ms', 'ratio'], rows);
  } finally {
    await provider.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

function caller(baseUrl: string, api: ModelApi, user: string): (stream: boolean) => Promise<void> {
  const endpoint = createOpenAiEndpoint({ baseUrl, api, apiKey: 'none', isOpenAi: true });
  const messages: ModelRequest['messages'] = [
    { role: 'system', text: 'policy text for the agent to follow. '.repeat(60) },
    { role: 'user', text: user },
  ];
  return async (stream) => {
    const request: ModelRequest = { model: 'gpt-5-mini', api, messages, tools: [], maxOutputTokens: 8_000, background: false, stream };
    const result = await endpoint.send(request, {
      signal: new AbortController().signal,
      clientRequestId: 'bench',
      onResponseId: async () => undefined,
      onProgress: () => undefined,
    });
    if (result.type !== 'reply' || !result.usage) throw new Error(`the call came to ${JSON.stringify(result)}`);
  };
}

async function cpuMsPerCall(call: () => Promise<void>, calls: number): Promise<number> {
  const before = process.cpuUsage();
  let left = calls;
  await Promise.all(
    Array.from({ length: CONCURRENCY }, async () => {
      while (left > 0) {
        left -= 1;
        await call();
      }
    }),
  );
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000 / calls;
}
