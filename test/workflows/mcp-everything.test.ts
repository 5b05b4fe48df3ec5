import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadProject } from '../../adapters/tasks/project.ts';
import { listMcpTools } from '../../adapters/tools/mcp/listing.ts';
import { McpServers } from '../../adapters/tools/mcp/servers.ts';
import type { McpServerSpec } from '../../domain/task/define.ts';
import { Stage } from '../support/stage.ts';
import { waitFor } from '../support/wait-for.ts';

/** The public reference server `@modelcontextprotocol/server-everything`, as it comes from the registry. */
const EVERYTHING = createRequire(import.meta.url).resolve('@modelcontextprotocol/server-everything/dist/index.js');
const scenarios = [
  {
    id: 'everything',
    match: { system: 'EVERYTHING' },
    turns: [
      {
        toolCalls: [
          { name: 'get_sum', arguments: { a: 19, b: 23 } },
          { name: 'get_tiny_image', arguments: {} },
        ],
      },
      { toolCalls: [{ name: 'weather', arguments: { location: 'Chicago' } }] },
      { text: 'done', alternatives: [{ when: { lastToolResultIncludes: '"temperature"' }, text: 'weather known' }] },
    ],
  },
];

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe.each(['stdio', 'streamableHttp'] as const)('the public server "everything" over %s', (kind) => {
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-everything-'));
  let child: ReturnType<typeof spawn> | null = null;
  let stage: Stage | null = null;
  let spec: McpServerSpec;

  beforeAll(async () => {
    if (kind === 'stdio') spec = { command: process.execPath, args: [EVERYTHING] };
    else {
      const port = await freePort();
      child = spawn(process.execPath, [EVERYTHING, kind], { env: { PATH: process.env.PATH, PORT: String(port) }, stdio: 'ignore' });
      spec = { url: `http://127.0.0.1:${port}/mcp` };
    }
  });
  afterAll(async () => {
    await stage?.close();
    child?.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });

  test('gives its tools to a whole run: two reads, then an action behind its gate', async () => {
    const servers = new McpServers({ servers: { everything: spec }, folder, secret: (name) => process.env[name], allowLoopback: true, log: () => undefined });
    const listed = await waitFor('the server', () => listMcpTools(servers, 'everything', AbortSignal.timeout(10_000)), 30_000);
    await servers.close();
    expect(listed.length).toBeGreaterThan(8);
    const digest = (name: string) => listed.find((tool) => tool.name === name)?.schemaDigest ?? expect.fail(`no tool ${name}`);
    const config = join(folder, 'tollgate.config.mjs');
    const tools = [
      { type: 'mcp', server: 'everything', tool: 'get-sum', name: 'get_sum', effect: 'read', schemaDigest: digest('get-sum') },
      { type: 'mcp', server: 'everything', tool: 'get-tiny-image', name: 'get_tiny_image', effect: 'read', schemaDigest: digest('get-tiny-image') },
      { type: 'mcp', server: 'everything', tool: 'get-structured-content', name: 'weather' },
    ];
    const task = { name: 'everything', prompt: 'EVERYTHING', models: ['gpt-5-mini'], maxOutputTokens: 512, budgetUsd: 1, tools };
    writeFileSync(config, `export default ${JSON.stringify({ tasks: [task], mcpServers: { everything: spec } })};`);
    const definition = (await loadProject(config, folder)).registry.tasks.get('everything') ?? expect.fail();

    stage = await new Stage({ TOLLGATE_CONFIG: config }).open({ scenarios });
    const handle = await stage.start(definition, { id: `everything-${kind}` });
    const gate = await stage.openGate(handle);
    expect(gate).toMatchObject({ tool: 'weather', arguments: { location: 'Chicago' } });
    expect(gate.destination).toContain(kind === 'stdio' ? 'server-everything/dist/index.js' : '/mcp)');
    const before = await stage.store.listToolCalls(gate.runKey);
    expect(before.map(({ tool, status, result }) => [tool, status, String(result)]).sort()).toEqual([
      ['get_sum', 'done', expect.stringContaining('The sum of 19 and 23 is 42.')],
      ['get_tiny_image', 'done', expect.stringContaining('image')],
    ]);
    expect(JSON.stringify(before)).not.toContain('iVBORw0KGgo');
    await stage.approve(handle);
    expect(await handle.result()).toMatchObject({ status: 'completed', output: 'weather known' });
    const weather = (await stage.store.listToolCalls(gate.runKey)).filter(({ tool }) => tool === 'weather');
    expect(weather).toMatchObject([{ status: 'done', result: { temperature: expect.any(Number), conditions: expect.any(String) } }]);
    expect(await stage.ledgerProblems(`everything-${kind}`)).toEqual([]);
  });
});
