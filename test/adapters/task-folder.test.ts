import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readTaskFolder, type TaskFolderOptions } from '../../adapters/tasks/task-folder.ts';
import { TollgateError } from '../../contracts/failures.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tollgate-task-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const TASK = `name: retail-support
prompt: ./policy.md
models: [gpt-5-mini, gpt-5-nano]
maxOutputTokens: 1024
budgetUsd: 0.25
maxSteps: 30
onBudgetExhausted: ask
tools:
  - from: ./tools.json
    bind: { recorded: ./results.jsonl }
gates:
  irreversible: { approvers: 1, role: support-lead, expiresAfter: 24h }
`;

const TOOLS = [
  {
    type: 'function',
    function: {
      name: 'get_order',
      description: 'Looks an order up.',
      parameters: { type: 'object', properties: { id: { type: 'string' } }, required: ['id'] },
    },
    effect: 'read',
  },
  { type: 'function', function: { name: 'cancel_order', parameters: { type: 'object', properties: { id: { type: 'string' } } } }, effect: 'irreversible' },
];

const RESULTS = '{"name":"get_order","arguments":{"id":"W1"},"result":"shipped"}\n{"name":"cancel_order","arguments":{"id":"W1"},"result":{"ok":true}}\n';

async function write(files: Record<string, string>): Promise<void> {
  const all = { 'task.yaml': TASK, 'policy.md': 'Be kind.', 'tools.json': JSON.stringify(TOOLS, null, 1), 'results.jsonl': RESULTS, ...files };
  for (const [name, text] of Object.entries(all)) await writeFile(join(folder, name), text);
}

async function mistakesOf(options: TaskFolderOptions = {}): Promise<string> {
  const error: unknown = await readTaskFolder(folder, options).then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(TollgateError);
  expect((error as TollgateError).type).toBe('invalidInput');
  return (error as TollgateError).message.replaceAll(`${folder}/`, '');
}

test('a task folder comes down to a definition and the contents that it names by digest', async () => {
  await write({});
  const { definition, contents } = await readTaskFolder(folder);
  expect(contents).toEqual([RESULTS]);
  expect(definition).toMatchObject({
    version: 1,
    name: 'retail-support',
    prompt: 'Be kind.',
    models: [{ model: 'gpt-5-mini' }, { model: 'gpt-5-nano' }],
    budgetLimitNanoUsd: 250_000_000,
    onBudgetExhausted: 'ask',
    gates: { irreversible: { approvers: 1, role: 'support-lead', expiresAfterMs: 86_400_000 } },
    limits: { maxSteps: 30, maxToolCallsPerStep: 16 },
  });
  const contentDigest = createHash('sha256').update(RESULTS).digest('hex');
  expect(definition.tools.map((tool) => [tool.name, tool.effect, tool.binding])).toEqual([
    ['get_order', 'read', { type: 'recorded', contentDigest }],
    ['cancel_order', 'irreversible', { type: 'recorded', contentDigest }],
  ]);
});

test('the same folder read twice gives the same definition', async () => {
  await write({});
  expect(JSON.stringify(await readTaskFolder(folder))).toBe(JSON.stringify(await readTaskFolder(folder)));
});

test('five mistakes are listed at once, each with its line and the fix', async () => {
  await write({
    'task.yaml': TASK.replace('maxOutputTokens', 'maxOutputToken')
      .replace('0.25', 'a quarter')
      .replace('ask', 'beg')
      .replace('24h', 'tomorrow')
      .replace('./policy.md', './polici.md'),
  });
  const message = await mistakesOf();
  expect(message).toContain('has 5 mistakes');
  expect(message.trim().split('\n')).toHaveLength(6);
  expect(message).toContain('task.yaml:2:9: prompt: "./polici.md" can\'t be read: there is no such file. Paths are relative to task.yaml.');
  expect(message).toContain('task.yaml:4:1: unknown key "maxOutputToken". Did you mean "maxOutputTokens"?');
  expect(message).toContain('task.yaml:5:12: budgetUsd: expected an amount in USD with at most nine decimal places, such as 0.25, saw "a quarter".');
  expect(message).toContain('task.yaml:7:20: onBudgetExhausted: expected ask, wrapUp or fail, saw "beg".');
  expect(message).toContain('task.yaml:12:67: gates.irreversible.expiresAfter: expected a duration such as 30m, 24h or 7d, from 1s to 365d, saw "tomorrow".');
});

test('a missing field is named with what belongs there', async () => {
  await write({ 'task.yaml': TASK.replace('maxOutputTokens: 1024\n', '') });
  expect(await mistakesOf()).toContain('task.yaml:1:1: "maxOutputTokens" is missing. Add it: a whole number of tokens, 1 to 200000, such as 1024.');
});

test('mistakes of all files are listed together', async () => {
  const wrong = structuredClone(TOOLS) as { effect: string; function: { parameters: unknown } }[];
  if (wrong[0] && wrong[1]) {
    wrong[0].effect = 'none';
    wrong[1].function.parameters = { type: 'object', not: { type: 'string' } };
  }
  await write({
    'task.yaml': TASK.replace('gpt-5-mini, gpt-5-nano', ''),
    'tools.json': JSON.stringify(wrong, null, 1),
    'results.jsonl': '{"name":"get_order","arguments":{},"result":1}\n\n{"name":"get_order","argument":{}}\nnot json\n',
  });
  const message = await mistakesOf();
  expect(message).toContain('task.yaml:3:9: models: expected a list of 1 to 8 models');
  expect(message).toMatch(/tools\.json:19:\d+: \[0\]\.effect: expected "read", "write" \(.*\) or "irreversible", saw "none"\./);
  expect(message).toMatch(/tools\.json:\d+:\d+: parameters: arguments can't be checked against this JSON Schema/);
  expect(message).toContain('results.jsonl:3:1: unknown key "argument". Did you mean "arguments"?');
  expect(message).toMatch(/results\.jsonl:4:\d+: this line is not valid JSON/);
});

test('a tool that says no effect is treated as irreversible', async () => {
  await write({ 'tools.json': JSON.stringify(TOOLS.map(({ effect: _effect, ...rest }) => rest)) });
  const { definition } = await readTaskFolder(folder);
  expect(definition.tools.map((tool) => tool.effect)).toEqual(['irreversible', 'irreversible']);
});

test('broken YAML is reported with its line and nothing that can not be trusted', async () => {
  await write({ 'task.yaml': 'name: x\nmodels: [a, b\nprompt: y\n' });
  expect(await mistakesOf()).toMatch(/task\.yaml:\d+:\d+: this is not valid YAML/);
});

test('broken JSON is reported with its line', async () => {
  await write({ 'tools.json': '[\n {"type": "function",\n  oops}\n]' });
  expect(await mistakesOf()).toContain('tools.json:3:3: this is not valid JSON');
});

test('two bindings at once, no binding and one to MCP that names no server are refused with what to do', async () => {
  await write({
    'task.yaml': TASK.replace(
      '    bind: { recorded: ./results.jsonl }',
      '    bind: { mcp: x }\n  - from: ./tools.json\n    bind: { recorded: ./results.jsonl, http: https://shop.example }\n  - from: ./tools.json\n    bind: {}',
    ),
  });
  const message = await mistakesOf();
  expect(message).toContain('task.yaml:10:18: tools[0].bind.mcp: expected {server, tool}, such as {server: shop}, saw "x".');
  expect(message.match(/exactly one of "recorded"/g)).toHaveLength(2);
  expect(message).toContain('the tool "get_order" is there twice');
});

test('an http binding carries names of secrets and its own timeout', async () => {
  await write({
    'task.yaml': TASK.replace(
      '{ recorded: ./results.jsonl }',
      '{ http: "https://shop.example/tools", secretHeaders: { Authorization: SHOP_TOKEN }, timeout: 15s }',
    ),
  });
  const { definition, contents } = await readTaskFolder(folder);
  expect(contents).toEqual([]);
  expect(definition.tools[0]?.binding).toEqual({
    type: 'http',
    url: 'https://shop.example/tools',
    secretHeaders: { Authorization: 'SHOP_TOKEN' },
    timeoutMs: 15_000,
  });
});

const DIGEST = 'a'.repeat(64);
const withMcp = (binding: string) => TASK.replace('{ recorded: ./results.jsonl }', binding);

test('an MCP binding names the server, the tool there and the digest that a lower effect counts with', async () => {
  const [look, cancel] = TOOLS;
  await write({ 'task.yaml': withMcp('{ mcp: { server: shop } }'), 'tools.json': JSON.stringify([{ ...look, schemaDigest: DIGEST }, cancel]) });
  const { definition } = await readTaskFolder(folder, { mcpServers: ['shop'] });
  expect(definition.tools.map(({ effect, binding }) => [effect, binding])).toEqual([
    ['read', { type: 'mcp', server: 'shop', tool: 'get_order', schemaDigest: DIGEST }],
    ['irreversible', { type: 'mcp', server: 'shop', tool: 'cancel_order' }],
  ]);
  await write({ 'task.yaml': withMcp('{ mcp: { server: shop, tool: orders/cancel } }'), 'tools.json': JSON.stringify([{ ...cancel, errorMeans: 'notDone' }]) });
  const [renamed] = (await readTaskFolder(folder)).definition.tools;
  expect(renamed).toMatchObject({ name: 'cancel_order', binding: { tool: 'orders/cancel', errorMeans: 'notDone' } });
});

test('mistakes of MCP bindings are listed at once: server, key, effect without digest, digest, name for two tools', async () => {
  const [look, cancel] = TOOLS;
  await write({
    'task.yaml': withMcp('{ mcp: { server: shp, tol: x } }').replace('gates:', '  - from: ./two.json\n    bind: { mcp: { server: shop, tool: one } }\ngates:'),
    'tools.json': JSON.stringify([look, { ...cancel, schemaDigest: 'abc' }], null, 1),
    'two.json': JSON.stringify([
      { type: 'function', function: { name: 'one' } },
      { type: 'function', function: { name: 'two' } },
    ]),
  });
  const message = await mistakesOf({ mcpServers: ['shop'] });
  expect(message).toContain('task.yaml:10:33: unknown key "tol" in tools[0].bind.mcp. Did you mean "tool"?');
  expect(message).toMatch(/tools\.json:\d+:\d+: \[1\]\.schemaDigest: expected the digest of an MCP tool, 64 hex digits/);
  expect(message).toContain('task.yaml:10:28: server: there is no MCP server "shp" in the configuration. Did you mean "shop"?');
  expect(message).toContain('two.json:1:1: bind.mcp.tool names one tool, and this file has 2.');
  await write({ 'task.yaml': withMcp('{ mcp: { server: shop } }') });
  const second = await mistakesOf({ mcpServers: ['shop'] });
  expect(second).toMatch(
    /tools\.json:\d+:\d+: effect: the effect "read" of an MCP tool counts only with the digest .* "tollgate mcp list shop" prints it\. Add "schemaDigest"\./,
  );
});

test('a digest beside a tool that is no MCP tool is a mistake', async () => {
  await write({ 'tools.json': JSON.stringify(TOOLS.map((tool) => ({ ...tool, schemaDigest: DIGEST }))) });
  expect(await mistakesOf()).toContain('"schemaDigest" and "errorMeans" belong to tools with an "mcp" binding');
});

test('a folder without task.yaml says so', async () => {
  expect(await mistakesOf()).toContain("task.yaml: can't be read: there is no such file. A task folder has a task.yaml.");
});

test('an output schema is read from its file, and what is wrong with it is said with its place', async () => {
  const withOutput = `${TASK}output: ./output.schema.json\n`;
  const schema = { $schema: 'https://json-schema.org/draft/2020-12/schema', type: 'object', properties: { total: { type: 'number' } }, required: ['total'] };
  await write({ 'task.yaml': withOutput, 'output.schema.json': JSON.stringify(schema) });
  const { $schema: _dialect, ...kept } = schema;
  expect((await readTaskFolder(folder)).definition.outputSchema).toEqual(kept);
  await write({ 'task.yaml': withOutput, 'output.schema.json': '{"type": "array"}' });
  expect(await mistakesOf()).toContain('output.schema.json:1:1: expected a JSON Schema of type "object", saw type "array"');
  await write({ 'task.yaml': withOutput, 'output.schema.json': '{"type": ' });
  expect(await mistakesOf()).toContain('output.schema.json:1:10: this is not valid JSON');
  await rm(join(folder, 'output.schema.json'));
  expect(await mistakesOf()).toContain('"./output.schema.json" can\'t be read: there is no such file');
});

test('only a read may be local: a tool of another effect, or of none, is refused with its place', async () => {
  await write({ 'tools.json': JSON.stringify(TOOLS.map((tool) => ({ ...tool, local: true }))) });
  const message = await mistakesOf();
  expect(message).toMatch(/tools\.json:\d+:\d+: \[1\]\.local: only a tool of effect "read" may be local, and this one is "irreversible"\./);
  expect(message).not.toContain('[0].local');
  await write({ 'tools.json': JSON.stringify(TOOLS.map((tool, index) => (index === 0 ? { ...tool, local: true } : tool))) });
  expect((await readTaskFolder(folder)).definition.tools.map(({ local }) => local)).toEqual([true, undefined]);
});
