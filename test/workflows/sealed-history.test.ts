import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { openKeyring } from '../../adapters/keys/open-keyring.ts';
import { PayloadCodec } from '../../adapters/keys/payload-codec.ts';
import { newApiKey } from '../../client/api-key.ts';
import { startChild, type ReadyChild } from '../../client/dev/child-process.ts';
import type { AgentRunResult } from '../../contracts/agent-run.ts';
import { Stage } from '../support/stage.ts';
import { recordedTools } from '../support/tools.ts';

const ROOT = join(import.meta.dirname, '../..');
/** Said by a person, by the model and by a tool. */
const SECRETS = ['zanzibar-input', 'zanzibar-answer', 'zanzibar-argument'];
let stage: Stage;
let sealed: Client;
let api: ReadyChild;
beforeAll(async () => {
  stage = await new Stage({ TOLLGATE_ENCRYPT_HISTORY: '1', TOLLGATE_CODEC_ORIGIN: 'http://ui.test:8233' }).open({
    scenarios: [
      { id: 'answer', match: { system: 'ANSWER' }, turns: [{ text: 'zanzibar-answer' }] },
      {
        id: 'gate',
        match: { system: 'GATE' },
        turns: [{ toolCalls: [{ name: 'refund', arguments: { to: 'zanzibar-argument' } }] }, { text: 'zanzibar-answer' }],
      },
    ],
  });
  const keyring = openKeyring({ home: stage.folder }, stage.store);
  const codec = new PayloadCodec(async () => keyring, { seals: () => true });
  sealed = new Client({ connection: await Connection.connect({ address: stage.address }), dataConverter: { payloadCodecs: [codec] } });
  api = await startChild({
    name: 'HTTP API',
    script: join(ROOT, 'client', 'http', 'main.ts'),
    env: { ...stage.environment, TOLLGATE_LISTEN: '127.0.0.1:0' },
    cwd: ROOT,
    logPath: join(stage.folder, 'api.log'),
  });
});
afterAll(async () => {
  await api?.stop();
  await sealed?.connection.close();
  await stage?.close();
});

/** The history as the Temporal CLI shows it: what anybody sees who reaches the namespace. */
function shown(workflowId: string, ...flags: readonly string[]): string {
  const args = ['workflow', 'show', '--workflow-id', workflowId, '--output', 'json', '--address', stage.address, ...flags];
  return execFileSync(inject('temporalCli'), args, { encoding: 'utf8', maxBuffer: 50_000_000 });
}

/** Texts and the bytes inside base64. */
function plainTextOf(history: string): string {
  const bytes = [...history.matchAll(/"data": ?"([^"]+)"/g)].map(([, data = '']) => Buffer.from(data, 'base64').toString('latin1'));
  return [history, ...bytes].join('\n');
}

/** Starts by a client that seals, as our own do. */
async function startSealed(definition: Parameters<Stage['start']>[0], id: string) {
  const { client } = stage;
  stage.client = sealed;
  try {
    return await stage.start(definition, { id, message: 'zanzibar-input' });
  } finally {
    stage.client = client;
  }
}

test('the history of a sealed run holds no word of what was said, and its summaries can be read', async () => {
  const handle = await startSealed({ prompt: 'ANSWER' }, 'sealed-answer');
  const result = (await handle.result()) as AgentRunResult;
  expect(result).toMatchObject({ status: 'completed', output: 'zanzibar-answer' });
  const history = shown('sealed-answer');
  const text = plainTextOf(history);
  for (const secret of [...SECRETS, 'gpt-5-mini"']) expect(text).not.toContain(secret);
  expect(text).toMatch(/step 1 .+ gpt-5-mini/);
  // Every payload but summaries and search attributes is sealed.
  expect(history).not.toMatch(/"tenant"/);
  expect(history.match(/YmluYXJ5L3NlYWxlZA==/g)?.length ?? 0).toBeGreaterThan(4);
});

test('with the codec server, the Temporal CLI shows everything', async () => {
  const text = plainTextOf(shown('sealed-answer', '--codec-endpoint', `${api.ready.url}/codec`));
  for (const said of ['zanzibar-input', 'zanzibar-answer', '"tenant":"acme"']) expect(text).toContain(said);
  expect(text).not.toContain('binary/sealed');
});

test('a page of the Temporal UI may call the codec server, and no other page', async () => {
  const call = (headers: Record<string, string>) =>
    fetch(`${api.ready.url}/codec/decode`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: '{"payloads":[]}' });
  const allowed = await call({ origin: 'http://ui.test:8233', 'sec-fetch-site': 'cross-site' });
  expect([allowed.status, allowed.headers.get('access-control-allow-origin')]).toEqual([200, 'http://ui.test:8233']);
  const refused = await call({ origin: 'http://evil.test', 'sec-fetch-site': 'cross-site' });
  expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([401, null]);
  const preflight = await fetch(`${api.ready.url}/codec/decode`, { method: 'OPTIONS', headers: { origin: 'http://ui.test:8233' } });
  expect([preflight.status, preflight.headers.get('access-control-allow-headers')]).toEqual([204, expect.stringContaining('x-namespace')]);
});

test('a client without keys reads a value that says so, and is understood itself', async () => {
  const unread = await stage.client.workflow
    .getHandle('sealed-answer')
    .result()
    .catch((error: Error) => error);
  expect(JSON.stringify(unread)).not.toContain('zanzibar');
  await stage.start({ prompt: 'ANSWER' }, { id: 'started-plain' });
  expect((await sealed.workflow.getHandle('started-plain').result()) as AgentRunResult).toMatchObject({ status: 'completed', output: 'zanzibar-answer' });
});

test('a plain signal, as operators send it, decides at a gate of a sealed run', async () => {
  const handle = await startSealed({ prompt: 'GATE', tools: (await recordedTools(stage, { refund: 'irreversible' }, [])) as never }, 'sealed-gate');
  const gate = await stage.openGate(handle);
  await stage.client.workflow.getHandle('sealed-gate').signal('deny', { approvalId: gate.approvalId, actionDigest: gate.actionDigest, reason: 'no' });
  expect((await handle.result()) as AgentRunResult).toMatchObject({ status: 'completed', output: 'zanzibar-answer' });
  expect(plainTextOf(shown('sealed-gate'))).not.toContain('zanzibar');
});

test('what a failed run says is sealed too', async () => {
  const handle = await startSealed({ prompt: 'ANSWER', models: [{ model: 'no-such-model' }] }, 'sealed-failure');
  await expect(handle.result()).rejects.toMatchObject({ cause: { message: expect.stringContaining('no-such-model') } });
  const text = plainTextOf(shown('sealed-failure'));
  expect(text).toContain('Encoded failure');
  expect(text).not.toContain('No configured endpoint');
  expect(plainTextOf(shown('sealed-failure', '--codec-endpoint', `${api.ready.url}/codec`))).toContain('no-such-model');
});

// Last: since the first key, every request needs one.
test('a key of the API opens payloads of its own tenant alone, and needs the scope for it', async () => {
  const keyOf = async (scopes: readonly string[], tenant: string) => {
    const { key, secret } = newApiKey({ name: `${tenant}-${scopes.join('-')}`, scopes, roles: [], tenant });
    await stage.store.putApiKey(key);
    return secret;
  };
  const [acme, globex, starter] = [await keyOf(['read'], 'acme'), await keyOf(['read'], 'globex'), await keyOf(['start'], 'acme')];
  const show = (secret: string) => plainTextOf(shown('sealed-answer', '--codec-endpoint', `${api.ready.url}/codec`, '--codec-auth', `Bearer ${secret}`));
  expect(show(acme)).toContain('zanzibar-answer');
  const other = show(globex);
  expect(other).not.toContain('zanzibar');
  expect(other).toContain('YmluYXJ5L3NlYWxlZA==');
  for (const secret of [starter, 'tg_nonsense']) expect(() => show(secret)).toThrow();
  expect(
    (await fetch(`${api.ready.url}/codec/decode`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"payloads":[]}' })).status,
  ).toBe(401);
});
