import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { createPresidioDetector, MAX_TEXT_LENGTH, type PresidioOptions } from '../../../adapters/redaction/presidio.ts';
import { loadSettings } from '../../../config/load.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

interface Asked {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly body: unknown;
}

/** An analyzer that answers in the documented form. */
async function analyzer(answer: (response: ServerResponse) => void): Promise<{ readonly url: string; readonly asked: readonly Asked[] }> {
  const asked: Asked[] = [];
  const server = createServer(async (request: IncomingMessage, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    asked.push({ method: request.method, url: request.url, body: JSON.parse(body) });
    answer(response);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

const json = (value: unknown) => (response: ServerResponse) => response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
const result = (entity_type: string, start: number, end: number) => ({ analysis_explanation: null, end, entity_type, score: 0.85, start });
const options = { language: 'en', entities: ['PERSON', 'LOCATION'], timeoutMs: 2_000 };
const find = (text: string, given: Partial<PresidioOptions> & { readonly url: string }, signal = new AbortController().signal) =>
  createPresidioDetector({ ...options, ...given }).find(text, { regions: ['US'] }, signal);

test('it asks for names and places in the documented form, and gives what was found', async () => {
  const { url, asked } = await analyzer(json([result('PERSON', 0, 10), result('LOCATION', 19, 25)]));
  expect(await find('John Smith lives in Oxford', { url })).toEqual([
    { type: 'person', start: 0, end: 10 },
    { type: 'location', start: 19, end: 25 },
  ]);
  const body = { text: 'John Smith lives in Oxford', language: 'en', entities: ['PERSON', 'LOCATION'], score_threshold: 0.4 };
  expect(asked).toEqual([{ method: 'POST', url: '/analyze', body }]);
});

test('its offsets count characters, ours code units', async () => {
  const text = '😀😀 Ann 😀 Bo';
  const { url } = await analyzer(json([result('PERSON', 3, 6), result('PERSON', 9, 11)]));
  expect((await find(text, { url })).map(({ start, end }) => text.slice(start, end))).toEqual(['Ann', 'Bo']);
});

test('half a character is sent as one that Python can read, and shifts nothing', async () => {
  const { url, asked } = await analyzer(json([result('PERSON', 2, 5)]));
  expect(await find('\ud800 Ann', { url })).toEqual([{ type: 'person', start: 2, end: 5 }]);
  expect(asked[0]?.body).toMatchObject({ text: '\ufffd Ann' });
});

test('what it was not asked for is left out; other entities have a type of Presidio’s', async () => {
  const { url } = await analyzer(json([result('US_DRIVER_LICENSE', 0, 3), result('DATE_TIME', 0, 3)]));
  expect(await find('abc', { url, entities: ['US_DRIVER_LICENSE'] })).toEqual([{ type: 'presidio.us-driver-license', start: 0, end: 3 }]);
});

test('nothing to look at is not sent', async () => {
  const { url, asked } = await analyzer(json([]));
  expect(await find(' \n', { url })).toEqual([]);
  expect(asked).toEqual([]);
});

const SECRET_TEXT = 'Ann Example of Exampletown';

test.each([
  ['an error', (response: ServerResponse) => response.writeHead(500).end(JSON.stringify({ error: SECRET_TEXT })), 'Presidio answered 500'],
  ['a page', (response: ServerResponse) => response.end(`<html>${SECRET_TEXT}`), 'something else'],
  ['an object', json({ results: [] }), 'something else'],
  ['a range outside of the text', json([result('PERSON', 20, 40)]), 'range outside'],
  ['an empty range', json([result('PERSON', 3, 3)]), 'range outside'],
  ['half a number', json([result('PERSON', 1.5, 3)]), 'something else'],
  ['another address', (response: ServerResponse) => response.writeHead(307, { location: 'http://127.0.0.1:1/analyze' }).end(), 'fetch failed'],
  ['more than it may', (response: ServerResponse) => response.end(' '.repeat(4_100_000)), 'more than 4000000 bytes'],
])('it rejects on %s, and says nothing of the text', async (_name, answer, message) => {
  const { url } = await analyzer(answer);
  const failure = await find(SECRET_TEXT, { url }).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(Error);
  expect(String(failure)).toContain(message);
  expect(String(failure)).not.toContain('Example');
});

test('it rejects when nobody listens', async () => {
  await expect(find('Ann', { url: 'http://127.0.0.1:1' })).rejects.toThrow();
});

test('it waits no longer than it may, for the answer and for its body', async () => {
  for (const answer of [() => undefined, (response: ServerResponse) => void response.write('[')]) {
    const { url } = await analyzer(answer);
    const startedMs = performance.now();
    await expect(find('Ann', { url, timeoutMs: 200 })).rejects.toThrow();
    expect(performance.now() - startedMs).toBeLessThan(5_000);
  }
});

test('the caller’s signal ends it', async () => {
  const { url } = await analyzer(() => undefined);
  const stop = new AbortController();
  const finding = find('Ann', { url }, stop.signal);
  stop.abort(new Error('the run was cancelled'));
  await expect(finding).rejects.toThrow('the run was cancelled');
});

test('a text that is too long is not sent', async () => {
  const { url, asked } = await analyzer(json([]));
  await expect(find('a'.repeat(MAX_TEXT_LENGTH + 1), { url })).rejects.toThrow('at most');
  expect(asked).toEqual([]);
});

test('settings: unset there is none; set, it asks for names and places', () => {
  expect(loadSettings({}).presidio).toBeUndefined();
  expect(loadSettings({ TOLLGATE_PRESIDIO_URL: 'http://127.0.0.1:5002/' }).presidio).toEqual({ ...options, url: 'http://127.0.0.1:5002' });
  expect(loadSettings({ TOLLGATE_PRESIDIO_URL: 'http://p:5002', TOLLGATE_PRESIDIO_ENTITIES: 'PERSON, NRP' }).presidio?.entities).toEqual(['PERSON', 'NRP']);
  expect(() => loadSettings({ TOLLGATE_PRESIDIO_ENTITIES: 'person' })).toThrow('TOLLGATE_PRESIDIO_ENTITIES');
});
