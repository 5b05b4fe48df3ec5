import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type AgentClient, createHttpAgentClient, type RunsDoor } from 'tollgate/client';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { waitingRun } from './run-samples.ts';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

let servers: Server[];
beforeEach(() => {
  servers = [];
});
afterEach(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

/** A server of the test, and what it was asked. */
async function serving(answer: Answer): Promise<{ readonly url: string; readonly asked: string[]; readonly client: AgentClient & RunsDoor }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers.authorization ?? '-'}`);
    answer(request, response);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, asked, client: createHttpAgentClient({ url: `${url}/`, token: 'tg_secret' }) };
}

const running = { ...waitingRun(), status: 'running', gates: [] };
const ended = { ...waitingRun(), status: 'completed', endedAt: '2026-11-23T10:01:00.000Z' };
const event = (name: string, data: unknown) => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;

test('a server that is no Tollgate API is told from one, whatever it answers', async () => {
  for (const answer of [
    (_: IncomingMessage, response: ServerResponse) => response.writeHead(502, { 'content-type': 'text/html' }).end('<html>bad gateway</html>'),
    (_: IncomingMessage, response: ServerResponse) => response.end('<html>hello</html>'),
    (_: IncomingMessage, response: ServerResponse) => response.end('{"some":"thing"}'),
    (_: IncomingMessage, response: ServerResponse) => response.writeHead(404).end('{"error":"nope"}'),
    (request: IncomingMessage) => request.socket.destroy(),
  ]) {
    const { url, client } = await serving(answer);
    await expect(client.show('run')).rejects.toMatchObject({ type: 'apiUnavailable', message: expect.stringContaining(`No Tollgate API answers at ${url} (`) });
    await expect(client.list()).rejects.toMatchObject({ type: 'apiUnavailable' });
    await expect(client.approve('gate', { actionDigest: 'd' })).rejects.toMatchObject({ type: 'apiUnavailable' });
  }
});

test('the token goes to the address it is for, and to no other that this one points to', async () => {
  const other = await serving((_, response) => response.end(JSON.stringify(running)));
  const { asked, client } = await serving((_, response) => response.writeHead(307, { location: `${other.url}/v1/runs/run` }).end());
  await expect(client.show('run')).rejects.toMatchObject({ type: 'apiUnavailable' });
  await expect(client.cancel('run')).rejects.toMatchObject({ type: 'apiUnavailable' });
  expect(asked).toEqual(['GET /v1/runs/run Bearer tg_secret', 'POST /v1/runs/run/cancel Bearer tg_secret']);
  expect(other.asked).toEqual([]);
});

test('a follower survives a stream that is cut in the middle of an event, sees no state twice, and stops at the result', async () => {
  const streams = [
    `${event('report', running)}event: report\ndata: {"half`,
    `: still here\n\n${event('report', running)}`,
    `retry: 1\r\n\r\n${event('report', waitingRun()).replaceAll('\n', '\r\n')}${event('unknown', {})}${event('result', ended)}${event('report', running)}`,
  ];
  const { asked, client } = await serving((_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write(streams.shift() ?? '');
    setTimeout(() => response.destroy(), 20);
  });
  const seen: string[] = [];
  for await (const { status } of client.follow({ agentRunId: 'a/b', firstExecutionRunId: 'first' })) seen.push(status);
  expect(seen).toEqual(['running', 'awaitingApproval', 'completed']);
  expect(asked).toEqual(Array(3).fill('GET /v1/runs/a%2Fb/events?detail=reports&firstExecutionRunId=first Bearer tg_secret'));
});

test('a follower gives up at once where the API never answered, or says that there is nothing to follow any more', async () => {
  const first = createHttpAgentClient({ url: 'http://127.0.0.1:1' }).follow({ agentRunId: 'run' })[Symbol.asyncIterator]();
  await expect(first.next()).rejects.toMatchObject({ type: 'apiUnavailable' });
  let requests = 0;
  const { client } = await serving((_, response) => {
    requests += 1;
    if (requests === 1) return response.writeHead(200, { 'content-type': 'text/event-stream' }).end(event('report', running));
    const problem = { type: 'urn:tollgate:failure:unauthenticated', title: 't', status: 401, detail: 'The key was revoked.', failureType: 'unauthenticated' };
    response.writeHead(401, { 'content-type': 'application/problem+json' }).end(JSON.stringify(problem));
  });
  const reports = client.follow({ agentRunId: 'run' })[Symbol.asyncIterator]();
  expect((await reports.next()).value).toMatchObject({ status: 'running' });
  await expect(reports.next()).rejects.toMatchObject({ type: 'unauthenticated', message: 'The key was revoked.' });
});

test('who waits for a result bears a connection that is lost before the first answer, and not one that is lost every time', async () => {
  let requests = 0;
  const { client } = await serving((_, response) => {
    requests += 1;
    if (requests < 3) return response.destroy();
    response.end(JSON.stringify(ended));
  });
  expect(await client.result('run')).toMatchObject({ status: 'completed' });
  const gone = await serving((_, response) => response.destroy());
  await expect(gone.client.result('run')).rejects.toMatchObject({ type: 'apiUnavailable' });
  expect(gone.asked.length).toBe(4);
});

test('a follower that is told to stop leaves the server', async () => {
  let left = false;
  const { client } = await serving((_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write(event('report', running));
    response.on('close', () => {
      left = true;
    });
  });
  const stop = new AbortController();
  for await (const _ of client.follow({ agentRunId: 'run' }, { signal: stop.signal })) stop.abort();
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(left).toBe(true);
});

test('ids that no URL can carry are not there, and nothing else is asked for in their place', async () => {
  const { asked, client } = await serving((_, response) => response.end('[]'));
  for (const id of ['', '.', '..']) {
    await expect(client.show(id)).rejects.toMatchObject({ type: 'notFound' });
    await expect(client.approve(id, { actionDigest: 'd' })).rejects.toMatchObject({ type: 'notFound' });
    await expect(client.cancel(id)).rejects.toMatchObject({ type: 'notFound' });
  }
  expect(asked).toEqual([]);
});
