import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadProject } from '../../adapters/tasks/project.ts';
import { TollgateError } from '../../contracts/failures.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
let folder: string;
beforeEach(async () => {
  await mkdir(join(root, '.tollgate'), { recursive: true });
  folder = await mkdtemp(join(root, '.tollgate', 'test-project-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const IMPORTS = `import { z } from 'zod';\nimport { defineConfig, defineTask, defineTool } from 'tollgate';\n`;
const TOOL = `const add = defineTool({ name: 'add', description: 'Adds.', parameters: z.object({ a: z.number(), b: z.number().default(0) }), effect: 'read', execute: async ({ a, b }) => a + b });\n`;

async function load(source: string, name = 'tollgate.config.ts'): ReturnType<typeof loadProject> {
  await writeFile(join(folder, name), source);
  return await loadProject(name === 'tollgate.config.ts' ? undefined : name, folder);
}

async function messageOf(loading: Promise<unknown>): Promise<string> {
  const error: unknown = await loading.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(TollgateError);
  expect((error as TollgateError).type).toBe('invalidInput');
  return (error as TollgateError).message;
}

test('a project of defineTask and defineTool comes down to definitions and tools', async () => {
  const { registry, configPath } = await load(
    `${IMPORTS}${TOOL}export default defineConfig({ tasks: [defineTask({ name: 'sum', prompt: 'Add up.', models: ['gpt-5-nano'], maxOutputTokens: 64, budgetUsd: '0.000000001', tools: [add] })] });`,
  );
  expect(configPath).toBe(join(folder, 'tollgate.config.ts'));
  expect(registry.tasks.get('sum')).toMatchObject({
    models: [{ model: 'gpt-5-nano' }],
    budgetLimitNanoUsd: 1,
    onBudgetExhausted: 'fail',
    limits: { maxSteps: 30 },
  });
  const tool = registry.tasks.get('sum')?.tools[0];
  expect(tool).toMatchObject({ name: 'add', version: '1', effect: 'read', binding: { type: 'function' }, parameters: { type: 'object', required: ['a'] } });
  expect(registry.tools.get('add@1')?.name).toBe('add');
});

test('every mistake of a project is listed at once, with its place and the fix', async () => {
  const message = await messageOf(
    load(
      `export default { tasks: [{ name: 'a b', prompt: 'x', model: ['m'], maxOutputTokens: 0, budgetUsd: 'free', tools: [{ name: 't', description: '', parameters: {}, effect: 'none', execute: 1 }] }], endpoints: { gateway: { baseUrl: 'gateway', provider: 'x' } } };`,
    ),
  );
  expect(message).toContain('tollgate.config.ts has 8 mistakes');
  expect(message).toContain('tollgate.config.ts: tasks[0].name: expected a name of letters');
  expect(message).toContain('unknown key "model" in tasks[0]. Did you mean "models"?');
  expect(message).toContain('tasks[0].maxOutputTokens: expected a whole number of tokens, 1 to 200000, saw 0.');
  expect(message).toContain('tasks[0].budgetUsd: expected an amount in USD');
  expect(message).toContain('tasks[0].tools[0].parameters: expected a zod object: z.object({…}), saw {}.');
  expect(message).toContain('tasks[0].tools[0].effect: expected "read", "write"');
  expect(message).toContain('tasks[0].tools[0].execute: expected an async function');
  expect(message).toContain('endpoints.gateway.baseUrl: expected an address');
});

test('what the types can not see is found too: names twice, schemas without a JSON form, unknown endpoints', async () => {
  const task = (tools: string) => `defineTask({ name: 'sum', prompt: 'Add up.', models: ['gpt-5-nano'], maxOutputTokens: 64, budgetUsd: 1, tools: ${tools} })`;
  const message = await messageOf(
    load(
      `${IMPORTS}${TOOL}const odd = defineTool({ name: 'odd', description: '', parameters: z.object({ at: z.date() }), effect: 'read', execute: async () => null });
       const text = defineTool({ name: 'text', description: '', parameters: z.string(), effect: 'read', execute: async () => null });
       export default defineConfig({ tasks: [${task('[add, add, odd]')}, ${task('[text, { ...add }]')}], models: [{ model: 'm', endpoint: 'gatway' }], endpoints: { gateway: { baseUrl: 'https://gateway.example/v1', provider: 'x' } } });`,
    ),
  );
  expect(message).toContain('tasks[0].tools[1]: the tool "add" is in this task twice');
  expect(message).toContain('tasks[0].tools[2].parameters: this zod schema has no JSON Schema form');
  expect(message).toContain('tasks[1].tools[0].parameters: expected a JSON Schema of type "object"');
  expect(message).toContain('tasks[1].tools[1]: another tool is "add@1" already');
  expect(message).toContain('models[0].endpoint: there is no endpoint "gatway". Did you mean "gateway"?');
});

const MCP_TASK = (tools: string) => `{ name: 'shop', prompt: 'Sell.', models: ['gpt-5-nano'], maxOutputTokens: 64, budgetUsd: 1, tools: ${tools} }`;

test('tools of MCP servers are declared with mcpTool; what the server says of them is left open', async () => {
  const { registry } = await load(
    `import { defineConfig, defineTask, mcpTool } from 'tollgate';
     const tools = [mcpTool({ server: 'shop', tool: 'orders/cancel' }), mcpTool({ server: 'shop', tool: 'look', effect: 'read', schemaDigest: '${'a'.repeat(64)}', gate: { role: 'lead' }, local: true })];
     export default defineConfig({ tasks: [defineTask(${MCP_TASK('tools')})], mcpServers: { shop: { command: 'node', args: ['shop.js'], env: ['SHOP_TOKEN'] } } });`,
  );
  expect(registry.tasks.get('shop')?.tools).toMatchObject([
    { name: 'orders_cancel', effect: 'irreversible', description: '', parameters: {}, binding: { type: 'mcp', server: 'shop', tool: 'orders/cancel' } },
    { name: 'look', effect: 'read', gate: { role: 'lead' }, local: true, binding: { schemaDigest: 'a'.repeat(64) } },
  ]);
  expect(registry.tools.size).toBe(0);
});

test('every mistake of MCP servers and their tools is listed at once', async () => {
  const message = await messageOf(
    load(
      `export default { tasks: [${MCP_TASK("[{ type: 'mcp', server: 'shop', tool: 'a', name: 'a', effect: 'reed', schemaDigest: 'x' }, { type: 'mpc' }, { type: 'mcp', server: 'shop', tool: 'b', name: 'b', local: true }]")}],
       mcpServers: { shop: { command: 'node', url: 'https://shop.example/mcp' }, bank: { url: 'bank', secretHeaders: { authorization: 'Bearer abc' } }, files: { command: 'node', env: { HOME: '/x' }, arg: [] }, box: { url: 'https://box.example', env: [] } } };`,
    ),
  );
  expect(message).toContain('tasks[0].tools[0].effect: expected "read"');
  expect(message).toContain('tasks[0].tools[0].schemaDigest: expected the digest of the tool');
  expect(message).toContain('tasks[0].tools[1].type: expected "mcp"');
  expect(message).toContain('tasks[0].tools[2].local: only a tool of effect "read" may be local, and this one is "irreversible"');
  expect(message).toContain('mcpServers.shop: an MCP server says exactly one of "command"');
  expect(message).toContain('mcpServers.bank.url: expected an address');
  expect(message).toContain('mcpServers.bank.secretHeaders.authorization: expected the name of an environment variable');
  expect(message).toContain('mcpServers.files.env: expected a list of names of environment variables');
  expect(message).toContain('unknown key "arg" in mcpServers.files. Did you mean "args"?');
  expect(message).toContain('mcpServers.box: "args", "env" and "cwd" belong to a server with a "command"');
});

test('an unknown MCP server and an effect lowered without its digest are found with the place and the fix', async () => {
  const message = await messageOf(
    load(
      `export default { tasks: [${MCP_TASK("[{ type: 'mcp', server: 'shp', tool: 'a', name: 'a' }]")}, { ...${MCP_TASK("[{ type: 'mcp', server: 'shop', tool: 'b', name: 'b', effect: 'read' }]")}, name: 'other' }], mcpServers: { shop: { command: 'node' } } };`,
    ),
  );
  expect(message).toContain('tasks[0].tools[0].server: there is no MCP server "shp" in "mcpServers". Did you mean "shop"?');
  expect(message).toContain('tasks[1].tools[0]: the effect "read" of an MCP tool counts only with the digest');
  expect(message).toContain('"tollgate mcp list shop" prints it. Add "schemaDigest".');
});

test('a configuration that does not load is one plain error', async () => {
  expect(await messageOf(load('export default {', 'broken.config.ts'))).toContain("broken.config.ts can't be loaded");
  expect(await messageOf(load('export const tasks = [];', 'empty.config.ts'))).toContain('has no default export');
  expect(await messageOf(loadProject('missing.config.ts', folder))).toContain('There is no configuration at');
});

test('a folder inside a project finds the project, and one outside finds the shipped tasks', async () => {
  await writeFile(join(folder, 'tollgate.config.ts'), 'export default { tasks: [] };');
  await mkdir(join(folder, 'inner'));
  expect((await loadProject(undefined, join(folder, 'inner'))).configPath).toBe(join(folder, 'tollgate.config.ts'));
  expect([...(await loadProject(undefined, '/')).registry.tasks.keys()]).toContain('customer-support');
});

test('an output schema comes down to JSON Schema, and one that has no such form is a mistake', async () => {
  const task = (output: string) =>
    `${IMPORTS}export default defineConfig({ tasks: [defineTask({ name: 'sum', prompt: 'Add up.', models: ['m'], maxOutputTokens: 64, budgetUsd: 1, output: ${output} })] });`;
  const { registry } = await load(task('z.object({ total: z.number() })'));
  expect(registry.tasks.get('sum')?.outputSchema).toMatchObject({ type: 'object', required: ['total'], additionalProperties: false });
  expect(registry.outputs?.get('sum')?.safeParse({ total: 'x' }).success).toBe(false);
  await writeFile(join(folder, 'other.config.ts'), task('z.object({ at: z.date() })'));
  expect(await messageOf(loadProject('other.config.ts', folder))).toContain('tasks[0].output: this zod schema has no JSON Schema form');
});

test('only a read may be local: any other effect is refused with the fix, as is anything but true or false', async () => {
  const withTool = (rest: string) =>
    load(
      `${IMPORTS}const t = { name: 't', description: '', parameters: z.object({}), execute: async () => null, ${rest} };
       export default defineConfig({ tasks: [defineTask({ name: 'a', prompt: 'x', models: ['m'], maxOutputTokens: 1, budgetUsd: 0, tools: [t] })] });`,
      `local-${rest.replace(/\W+/g, '-')}.ts`,
    );
  for (const effect of ['write', 'irreversible'])
    expect(await messageOf(withTool(`effect: '${effect}', local: true`))).toContain(
      `tasks[0].tools[0].local: only a tool of effect "read" may be local, and this one is "${effect}".`,
    );
  expect(await messageOf(withTool(`effect: 'read', local: 'yes'`))).toContain('tasks[0].tools[0].local: expected true or false, saw "yes".');
  expect((await withTool(`effect: 'read', local: true`)).registry.tasks.get('a')?.tools).toMatchObject([{ name: 't', local: true }]);
  expect((await withTool(`effect: 'write', local: false`)).registry.tasks.get('a')?.tools[0]).not.toHaveProperty('local');
});

test("a task's workflow is one that the project's module exports; what is missing is said with the fix", async () => {
  await writeFile(join(folder, 'own.ts'), `export { planAndMerge } from '../../examples/plan-and-merge/workflows.ts';\nexport const limit = 3;\n`);
  const withWorkflow = (name: string, workflows: string, file: string) =>
    load(
      `import { defineConfig, defineTask } from 'tollgate';
       export default defineConfig({ ${workflows} tasks: [defineTask({ name: 'a', workflow: '${name}', prompt: 'x', models: ['m'], maxOutputTokens: 1, budgetUsd: 0 })] });`,
      file,
    );
  const good = await withWorkflow('planAndMerge', `workflows: './own.ts',`, 'good.ts');
  expect(good.workflowsPath).toBe(join(folder, 'own.ts'));
  expect(good.registry.tasks.get('a')).toMatchObject({ workflow: 'planAndMerge' });
  expect((await withWorkflow('agentRun', '', 'plain.ts')).workflowsPath).toBeUndefined();
  expect(await messageOf(withWorkflow('planAndMerg', `workflows: './own.ts',`, 'misspelt.ts'))).toContain(
    'tasks[0].workflow: there is no workflow "planAndMerg"; ./own.ts exports no such function. Did you mean "planAndMerge"?',
  );
  expect(await messageOf(withWorkflow('limit', `workflows: './own.ts',`, 'no-function.ts'))).toContain('exports no such function');
  expect(await messageOf(withWorkflow('planAndMerge', '', 'no-module.ts'))).toContain('add workflows: "./workflows.ts"');
  expect(await messageOf(withWorkflow('planAndMerge', `workflows: './nowhere.ts',`, 'gone.ts'))).toContain('there is no file');
  expect(await messageOf(withWorkflow('not a name', `workflows: './own.ts',`, 'no-name.ts'))).toContain('tasks[0].workflow: expected the name of a function');
});
