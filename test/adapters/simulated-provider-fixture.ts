import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI, { APIError } from 'openai';
import { afterEach, beforeEach, expect } from 'vitest';
import { type SimulatedProvider, type SimulatedProviderOptions, startSimulatedProvider } from '../../adapters/providers/simulated/main.ts';
import type { ScenarioInput } from '../../adapters/providers/simulated/scenario.ts';

export type ChatMessage = OpenAI.Chat.Completions.ChatCompletionMessageParam;
export type Item = OpenAI.Responses.ResponseInputItem;
export type Turns = ScenarioInput['turns'];

export const TOOL = { type: 'function' as const, function: { name: 'look', description: 'Looks.', parameters: { type: 'object', properties: {} } } };
export const RESPONSES_TOOL = { type: 'function' as const, name: 'look', description: 'Looks.', parameters: { type: 'object', properties: {} }, strict: false };

/** The folder of the running test, and the bill in it. */
export const place = { folder: '', billFile: '' };
let open: SimulatedProvider[] = [];
beforeEach(async () => {
  place.folder = await mkdtemp(join(tmpdir(), 'tollgate-simulated-'));
  place.billFile = join(place.folder, 'bill.jsonl');
});
afterEach(async () => {
  for (const provider of open) await provider.close();
  open = [];
  await rm(place.folder, { recursive: true, force: true });
});

/** Starts a provider in this process; it is closed after the test. */
export async function start(options: Partial<SimulatedProviderOptions> = {}): Promise<{ provider: SimulatedProvider; client: OpenAI }> {
  const provider = await startSimulatedProvider({ billFile: place.billFile, ...options });
  open.push(provider);
  return { provider, client: clientOf(provider.url) };
}

export function clientOf(url: string): OpenAI {
  return new OpenAI({ baseURL: url, apiKey: 'none', maxRetries: 0, timeout: 5_000 });
}

export function scenario(...turns: Turns): { scenarios: ScenarioInput[] } {
  return { scenarios: [{ id: 'test', turns }] };
}

export function chat(client: OpenAI, extra: object = {}, messages: ChatMessage[] = [{ role: 'user', content: 'Hello' }], headers: Record<string, string> = {}) {
  return client.chat.completions.create({ model: 'gpt-5-mini', messages, max_completion_tokens: 500, ...extra, stream: false }, { headers });
}

export function respond(client: OpenAI, extra: object = {}, input: Item[] = [{ role: 'user', content: 'Hello' }], headers: Record<string, string> = {}) {
  return client.responses.create({ model: 'gpt-5-mini', input, max_output_tokens: 500, store: false, ...extra, stream: false }, { headers });
}

export async function errorOf(promise: PromiseLike<unknown>): Promise<APIError> {
  const error: unknown = await Promise.resolve(promise).then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(APIError);
  return error as APIError;
}

export async function json(url: string): Promise<unknown> {
  return await (await fetch(url)).json();
}
