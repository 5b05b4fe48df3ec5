import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ServerLog } from '../../adapters/tools/mcp/server-log.ts';
import { McpServers } from '../../adapters/tools/mcp/servers.ts';
import type { McpServerSpec } from '../../domain/task/define.ts';
import { isAlive, McpStage } from '../support/mcp-stage.ts';
import { waitFor } from '../support/wait-for.ts';

let stage: McpStage;
let servers: McpServers;
let lines: string[];
beforeEach(() => {
  stage = new McpStage();
  lines = [];
});
afterEach(async () => {
  await servers.close();
  await stage.close();
});

function open(shop: McpServerSpec, variables: Record<string, string> = {}, allowLoopback = true) {
  const secret = (name: string) => variables[name] ?? (name === 'PATH' ? process.env.PATH : undefined);
  servers = new McpServers({ servers: { shop }, folder: stage.folder, secret, allowLoopback, log: (_server, line) => lines.push(line) });
  return servers.get('shop');
}
const soon = () => AbortSignal.timeout(20_000);
const look = { tool: 'look', arguments: {}, meta: {} };
const textOf = async (calling: Promise<{ content: readonly object[] }>) => (await calling).content.map((block) => ('text' in block ? block.text : '')).join('');

describe('a server with a command', () => {
  test('gets PATH and the declared variables, and nothing else', async () => {
    const shop = open({ ...stage.stdio, env: ['MCP_TEST_SECRET'] }, { MCP_TEST_SECRET: 'sesame-open', OTHER_SECRET: 'x' });
    await shop.offeredNow(soon());
    stage.set({ behaviour: { look: 'environment' } });
    expect(JSON.parse(await textOf(shop.callAtOnce(look, soon())))).toEqual({ PATH: process.env.PATH, MCP_TEST_SECRET: 'sesame-open' });
  });

  test('has its standard error in the log, without the values of its secrets', async () => {
    const shop = open({ ...stage.stdio, env: ['MCP_TEST_SECRET'] }, { MCP_TEST_SECRET: 'sesame-open' });
    await shop.offeredNow(soon());
    await waitFor('the line', async () => lines.length > 0);
    expect(lines[0]).toMatch(/^test server \d+ with \[MCP_TEST_SECRET\]$/);
  });

  test('that needs a variable which is not set is not started, and the variable is named', async () => {
    const shop = open({ ...stage.stdio, env: ['MCP_TEST_SECRET'] });
    await expect(shop.offeredNow(soon())).rejects.toMatchObject({ type: 'toolServerUnavailable', message: expect.stringContaining('MCP_TEST_SECRET') });
    expect(stage.listings).toBe(0);
  });

  test('that ends at once says what it wrote', async () => {
    stage.set({ start: 'fail' });
    await expect(open(stage.stdio).offeredNow(soon())).rejects.toMatchObject({
      type: 'toolServerUnavailable',
      message: expect.stringMatching(/ended or closed the connection.*It wrote: test server/s),
    });
  });

  test('whose command is not there says so', async () => {
    await expect(open({ command: 'no-such-command-anywhere' }).offeredNow(soon())).rejects.toMatchObject({
      type: 'toolServerUnavailable',
      message: expect.stringContaining('its command or its folder (cwd) is not there'),
    });
  });

  test('that takes long to start is waited for as long as the caller has time, and found started later', async () => {
    stage.set({ start: 'slow' });
    const shop = open(stage.stdio);
    await expect(shop.offeredNow(AbortSignal.timeout(300))).rejects.toMatchObject({ message: expect.stringContaining('still starting') });
    await shop.offeredNow(soon());
    expect(lines.filter((line) => line.startsWith('test server'))).toHaveLength(1);
  });

  test('that never gets ready does not keep us from stopping', async () => {
    stage.set({ start: 'hang' });
    const shop = open(stage.stdio);
    await expect(shop.offeredNow(AbortSignal.timeout(300))).rejects.toMatchObject({ message: expect.stringContaining('still starting') });
    await waitFor('its first words', async () => lines.length > 0);
    const startedMs = Date.now();
    await servers.close();
    expect(Date.now() - startedMs).toBeLessThan(5_000);
    expect(isAlive(Number(/\d+/.exec(lines[0] ?? '')?.[0]))).toBe(false);
  });

  test('that died in a call leaves its outcome open and is started again by the next', async () => {
    const shop = open(stage.stdio);
    await shop.offeredNow(soon());
    stage.set({ behaviour: { look: 'die' } });
    await expect(shop.callAtOnce(look, soon())).rejects.toMatchObject({ kind: 'open', message: 'the server ended or closed the connection' });
    expect(shop.heard(60_000)).toBeNull();
    stage.set({});
    await shop.offeredNow(soon());
    expect(await textOf(shop.callAtOnce(look, soon()))).toBe('look done');
    expect(new Set(stage.arrivals.map(({ pid }) => pid)).size).toBe(2);
  });

  test('is ended with all that it started, also where it does not listen', async () => {
    stage.set({ start: 'stay', behaviour: { look: 'orphan' } });
    const shop = open(stage.stdio);
    await shop.offeredNow(soon());
    const orphan = Number(await textOf(shop.callAtOnce(look, soon())));
    const [server] = stage.arrivals.map(({ pid }) => pid);
    expect([isAlive(Number(server)), isAlive(orphan)]).toEqual([true, true]);
    await servers.close();
    await waitFor('both to end', async () => !isAlive(Number(server)) && !isAlive(orphan));
  });

  test('is shared by calls at once, and started once', async () => {
    const shop = open(stage.stdio);
    await Promise.all([shop.offeredNow(soon()), shop.offeredNow(soon()), shop.offeredNow(soon())]);
    await Promise.all([shop.callAtOnce(look, soon()), shop.callAtOnce(look, soon())]);
    expect(new Set(stage.arrivals.map(({ pid }) => pid)).size).toBe(1);
  });
});

describe('a server with a URL', () => {
  test('on this machine is refused where that is not allowed', async () => {
    const shop = open({ url: await stage.startHttp() }, {}, false);
    await expect(shop.offeredNow(soon())).rejects.toMatchObject({
      type: 'toolServerUnavailable',
      message: expect.stringContaining('private or on this machine'),
    });
    expect(stage.listings).toBe(0);
  });

  test('gets secrets as headers, by name', async () => {
    stage.set({ requireHeader: 'Bearer sesame' });
    const url = await stage.startHttp();
    const shop = open({ url, secretHeaders: { Authorization: 'SHOP_TOKEN' } }, { SHOP_TOKEN: 'Bearer sesame\n' });
    expect([...(await shop.offeredNow(soon())).keys()]).toEqual(['look', 'pay']);
    await servers.close();
    await expect(open({ url }).offeredNow(soon())).rejects.toMatchObject({ type: 'toolServerUnavailable', message: expect.stringContaining('no') });
  });

  test('that sends us elsewhere is not followed', async () => {
    const elsewhere: string[] = [];
    const thief = createServer((request, response) => {
      elsewhere.push(String(request.url));
      response.end('{}');
    });
    await new Promise<void>((resolve) => thief.listen(0, '127.0.0.1', resolve));
    try {
      stage.set({ redirectTo: `http://127.0.0.1:${(thief.address() as AddressInfo).port}/mcp` });
      await expect(open({ url: await stage.startHttp() }).offeredNow(soon())).rejects.toMatchObject({ type: 'toolServerUnavailable' });
      expect(elsewhere).toEqual([]);
    } finally {
      thief.close();
    }
  });

  test('that was started again has forgotten our session, and gets a new one', async () => {
    const url = await stage.startHttp();
    const shop = open({ url });
    await shop.offeredNow(soon());
    await stage.killHttp();
    await stage.startHttp(Number(new URL(url).port));
    expect([...(await shop.offeredNow(soon())).keys()]).toEqual(['look', 'pay']);
    expect(await textOf(shop.callAtOnce(look, soon()))).toBe('look done');
  });

  test('that was started again between two calls fails one of them for certain, and the next one finds it', async () => {
    stage.set({ announces: true });
    const url = await stage.startHttp();
    const shop = open({ url });
    await shop.offeredNow(soon());
    await stage.killHttp();
    await stage.startHttp(Number(new URL(url).port));
    await expect(shop.callAtOnce(look, soon())).rejects.toMatchObject({ kind: 'notTaken' });
    await shop.offered(soon());
    expect(await textOf(shop.callAtOnce(look, soon()))).toBe('look done');
    expect(stage.arrivals).toHaveLength(1);
  });

  test('that is gone can not be used, and is found again once it is back', async () => {
    const url = await stage.startHttp();
    const shop = open({ url });
    await shop.offeredNow(soon());
    await stage.killHttp();
    await expect(shop.offeredNow(soon())).rejects.toMatchObject({ type: 'toolServerUnavailable' });
    await stage.startHttp(Number(new URL(url).port));
    await waitFor('the server', async () => (await shop.offeredNow(soon())).size === 2);
  });

  test('is shown to an approver without its query', () => {
    const shown = (url: string) => open({ url }).describe();
    expect(shown('https://shop.example:8443/mcp?key=sesame')).toMatch(/^shop\.example:8443\/mcp\?#[0-9a-f]{12}$/);
    expect(shown('https://shop.example:8443/mcp?key=sesame')).not.toBe(shown('https://shop.example:8443/mcp?key=other'));
    expect(shown('https://shop.example/mcp')).toBe('shop.example/mcp');
  });
});

test('a long command is shown to an approver with a digest that binds the rest', () => {
  const shown = (last: string) => open({ command: 'node', args: ['x'.repeat(600), last] }).describe();
  expect(shown('a').length).toBeLessThan(530);
  expect(shown('a')).not.toBe(shown('b'));
});

test('the log of a server is bounded in lines and in length', () => {
  servers = new McpServers({ servers: {}, folder: '.', secret: () => undefined, allowLoopback: true, log: () => undefined });
  const logged: string[] = [];
  const log = new ServerLog({}, (line) => logged.push(line));
  log.write(`${'x'.repeat(10_000)}\n`);
  log.write('line\n'.repeat(1_000));
  log.write('unfinished');
  expect(logged[0]).toHaveLength(500);
  expect(logged.length).toBeLessThanOrEqual(202);
  expect(log.tail()).toMatch(/line\nunfinished$/);
  expect(log.tail().length).toBeLessThan(1_100);
});
