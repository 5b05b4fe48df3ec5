import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { renderMcpTools } from '../../client/cli/mcp-command.ts';
import { readTaskFolder } from '../../adapters/tasks/task-folder.ts';
import { McpStage } from '../support/mcp-stage.ts';

const BIN = fileURLToPath(new URL('../../client/cli/bin.mjs', import.meta.url));

let stage: McpStage;
beforeAll(() => {
  stage = new McpStage();
});
beforeEach(() => {
  stage.set({});
  configure([]);
});
afterAll(() => stage.close());

function configure(tools: readonly object[]): void {
  const task = { name: 'shop', prompt: 'Sell.', models: ['gpt-5-nano'], maxOutputTokens: 64, budgetUsd: 1, tools };
  writeFileSync(join(stage.folder, 'tollgate.config.ts'), `export default ${JSON.stringify({ tasks: [task], mcpServers: { shop: stage.stdio } })};`);
}

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function tollgate(...args: string[]): Promise<Ended> {
  const env = {
    PATH: process.env.PATH,
    TOLLGATE_HOME: join(stage.folder, 'home'),
    TEMPORAL_ADDRESS: '127.0.0.1:1',
    TOLLGATE_SIMULATED_URL: 'http://127.0.0.1:1/v1',
  };
  return new Promise((resolve) => {
    execFile(process.execPath, [BIN, ...args], { cwd: stage.folder, env }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

interface Listed {
  readonly name: string;
  readonly hints: object;
  readonly schemaDigest: string;
  readonly lowestEffect: string;
  readonly snippet: string;
}

const listed = async (): Promise<Listed[]> => (JSON.parse((await tollgate('mcp', 'list', 'shop', '--json')).stdout) as { tools: Listed[] }).tools;

test('mcp list shows what a server offers, with digests, hints and what to paste', async () => {
  stage.set({ tools: { pay: { annotations: { readOnlyHint: false, destructiveHint: true } } } });
  const [look, pay] = await listed();
  expect(look).toMatchObject({ name: 'look', hints: {}, lowestEffect: 'read', schemaDigest: expect.stringMatching(/^[0-9a-f]{64}$/) });
  expect(pay).toMatchObject({ hints: { readOnlyHint: false, destructiveHint: true }, lowestEffect: 'irreversible' });
  expect(pay?.snippet).toBe(`mcpTool({ server: 'shop', tool: 'pay', effect: 'irreversible', schemaDigest: '${pay?.schemaDigest}' }),`);
  const { stdout, code } = await tollgate('mcp', 'list', 'shop');
  expect(code).toBe(0);
  for (const text of [look?.schemaDigest, pay?.schemaDigest, 'Pays an amount.', 'destructiveHint true', String(look?.snippet)]) expect(stdout).toContain(text);
});

test('the tools.json that mcp list prints is one that a task folder takes', async () => {
  const { stdout } = await tollgate('mcp', 'list', 'shop', '--tools-file');
  const folder = join(stage.folder, 'task');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'policy.md'), 'Sell.');
  writeFileSync(join(folder, 'tools.json'), stdout);
  writeFileSync(
    join(folder, 'task.yaml'),
    'name: shop\nprompt: ./policy.md\nmodels: [gpt-5-mini]\nmaxOutputTokens: 64\nbudgetUsd: 1\ntools: [{ from: ./tools.json, bind: { mcp: { server: shop } } }]\n',
  );
  const { definition } = await readTaskFolder(folder, { mcpServers: ['shop'] });
  const digests = (await listed()).map(({ schemaDigest }) => schemaDigest);
  expect(definition.tools.map(({ name, effect, binding }) => [name, effect, 'schemaDigest' in binding && binding.schemaDigest])).toEqual([
    ['look', 'irreversible', digests[0]],
    ['pay', 'irreversible', digests[1]],
  ]);
});

test('a server that is not configured, and one that does not start, end with 2 and say what to do', async () => {
  const unknown = await tollgate('mcp', 'list', 'shpo');
  expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringContaining('There is no MCP server "shpo" in this configuration (there is: shop)')]);
  stage.set({ start: 'fail' });
  const failing = await tollgate('mcp', 'list', 'shop', '--json');
  expect([failing.code, JSON.parse(failing.stdout)]).toEqual([
    2,
    { error: { type: 'toolServerUnavailable', message: expect.stringContaining('It wrote: test server') } },
  ]);
});

test('a task folder that names an unknown server is refused by run before anything is started', async () => {
  const folder = join(stage.folder, 'unknown');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'policy.md'), 'Sell.');
  writeFileSync(join(folder, 'tools.json'), '[]');
  writeFileSync(
    join(folder, 'task.yaml'),
    'name: shop\nprompt: ./policy.md\nmodels: [gpt-5-mini]\nmaxOutputTokens: 64\nbudgetUsd: 1\ntools: [{ from: ./tools.json, bind: { mcp: { server: shp } } }]\n',
  );
  writeFileSync(join(stage.folder, 'input.json'), '{"message":"hello"}');
  const ended = await tollgate('run', './unknown', '--input', 'input.json');
  expect([ended.code, ended.stderr]).toEqual([
    2,
    expect.stringContaining('task.yaml:6:54: server: there is no MCP server "shp" in the configuration. Did you mean "shop"?'),
  ]);
});

test('doctor starts the servers and compares what they offer with what the tasks declare', async () => {
  const check = async () => {
    const { checks } = JSON.parse((await tollgate('doctor', '--json')).stdout) as { checks: { name: string; status: string; message: string }[] };
    return checks.find(({ name }) => name === 'MCP servers') ?? expect.fail('no such check');
  };
  const look = (await listed()).find(({ name }) => name === 'look') ?? expect.fail();
  const tool = { type: 'mcp', server: 'shop', tool: 'look', name: 'look', effect: 'read', schemaDigest: look.schemaDigest };
  configure([tool]);
  stage.set({ tools: { look: { annotations: { readOnlyHint: false } } } });
  expect(await check()).toMatchObject({
    status: 'ok',
    message: expect.stringMatching(/shop: start, and offer.*look \(shop\): declared read, write by its hints/),
  });
  stage.set({ tools: { look: { description: 'Other.' } } });
  expect(await check()).toMatchObject({ status: 'problem', message: expect.stringContaining('offers another tool "look"') });
});

test('what a server says of itself can not pass for lines of ours', () => {
  const tool = {
    name: 'look\n  digest    fake',
    description: 'a\nb\u001b[31m\u202Ec',
    hints: {},
    schemaDigest: 'f'.repeat(64),
    lowestEffect: 'read',
    snippet: 's',
    toolsFileEntry: {},
  } as const;
  const lines = renderMcpTools('shop', [tool], 100);
  expect(lines.slice(0, 2)).toEqual(['look digest fake', '  says      a b [31m c']);
});
