import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { appendFileSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { type CallToolResult, CallToolRequestSchema, ErrorCode, ListToolsRequestSchema, McpError, type Tool } from '@modelcontextprotocol/sdk/types.js';
import type { McpServerState } from './mcp-stage.ts';

/**
 * An MCP server of the tests, over stdio or, with `--http`, over streamable HTTP. What it offers and how it behaves stands
 * in a file that a test may change at any time; what it is called for it writes into another.
 */
const { values } = parseArgs({ options: { state: { type: 'string' }, arrivals: { type: 'string' }, http: { type: 'boolean' } } });
const statePath = values.state ?? '';
const state = (): McpServerState => JSON.parse(readFileSync(statePath, 'utf8')) as McpServerState;

const TOOLS: readonly Tool[] = [
  { name: 'look', description: 'Looks something up.', inputSchema: { type: 'object', properties: { id: { type: 'number' } } } },
  { name: 'pay', description: 'Pays an amount.', inputSchema: { type: 'object', properties: { amount: { type: 'number' } }, required: ['amount'] } },
];

function offered(): Tool[] {
  const { tools = {}, gone = [], more = [] } = state();
  return [...TOOLS.map((tool) => ({ ...tool, ...tools[tool.name] })), ...more].filter(({ name }) => !gone.includes(name));
}

const text = (value: string): CallToolResult => ({ content: [{ type: 'text', text: value }] });

async function answer(tool: string): Promise<CallToolResult> {
  const { behaviour = {}, delayMs = 0 } = state();
  await new Promise((resolve) => setTimeout(resolve, delayMs));
  switch (behaviour[tool]) {
    case 'structured':
      return { content: [{ type: 'text', text: 'for people' }], structuredContent: { ok: true, count: 2 } };
    case 'mixed':
      return {
        content: [
          { type: 'text', text: 'see' },
          { type: 'image', data: 'AAAA', mimeType: 'image/png' },
          { type: 'resource_link', uri: 'file:///a.txt', name: 'a' },
          { type: 'resource', resource: { uri: 'file:///b.txt', text: 'the text of b' } },
          { type: 'resource', resource: { uri: 'file:///c.bin', blob: 'AAAAAAAA' } },
        ],
      };
    case 'huge':
      return text('x'.repeat(1_500_000));
    case 'error':
      return { ...text('the account is locked'), isError: true };
    case 'rant':
      return { ...text('no '.repeat(100_000)), isError: true };
    case 'refuse':
      throw new McpError(ErrorCode.InvalidParams, 'amount must be positive');
    case 'fail':
      throw new Error('database gone');
    case 'hang':
      return await new Promise(() => undefined);
    case 'die':
      return process.exit(3);
    case 'environment':
      return text(JSON.stringify(process.env));
    case 'orphan': {
      const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' });
      return text(String(child.pid));
    }
    default:
      return text(`${tool} done`);
  }
}

function createMcp(): Server {
  const server = new Server({ name: 'test', version: '1' }, { capabilities: { tools: { listChanged: state().announces ?? false } } });
  server.setRequestHandler(ListToolsRequestSchema, ({ params }) => {
    if (values.arrivals) appendFileSync(values.arrivals, `${JSON.stringify({ listed: true, pid: process.pid })}\n`);
    // One tool a page.
    const index = Number(params?.cursor ?? 0);
    const tools = offered();
    const next = index + 1 < tools.length ? { nextCursor: String(index + 1) } : {};
    return { tools: tools.slice(index, index + 1), ...next };
  });
  server.setRequestHandler(CallToolRequestSchema, async ({ params }) => {
    const arrival = { tool: params.name, arguments: params.arguments, meta: params._meta, pid: process.pid };
    if (values.arrivals) appendFileSync(values.arrivals, `${JSON.stringify(arrival)}\n`);
    return await answer(params.name);
  });
  let seen = statSync(statePath).mtimeMs;
  const timer = setInterval(() => {
    const { mtimeMs } = statSync(statePath, { throwIfNoEntry: false }) ?? { mtimeMs: seen };
    if (mtimeMs === seen) return;
    seen = mtimeMs;
    if (state().announces) void server.sendToolListChanged();
  }, 20);
  timer.unref();
  return server;
}

if (values.http) serveHttp();
else {
  process.stderr.write(`test server ${process.pid} with ${process.env.MCP_TEST_SECRET ?? 'no secret'}\n`);
  if (state().start === 'fail') process.exit(4);
  if (state().start === 'slow') await new Promise((resolve) => setTimeout(resolve, 1_500));
  if (state().start === 'stay') {
    // Ends neither with its input nor when it is told to.
    process.on('SIGTERM', () => undefined);
    setInterval(() => undefined, 1_000);
  }
  if (state().start !== 'hang') await createMcp().connect(new StdioServerTransport());
  else setInterval(() => undefined, 1_000);
}

function serveHttp(): void {
  const sessions = new Map<string, StreamableHTTPServerTransport>();
  const server = createServer(async (request, response) => {
    const { requireHeader, redirectTo } = state();
    if (redirectTo) return response.writeHead(307, { location: redirectTo }).end();
    if (requireHeader && request.headers.authorization !== requireHeader) return response.writeHead(401).end('no');
    const known = sessions.get(String(request.headers['mcp-session-id'] ?? ''));
    if (known) return await known.handleRequest(request, response);
    if (request.headers['mcp-session-id']) return response.writeHead(404).end('no such session');
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      onsessioninitialized: (id) => {
        sessions.set(id, transport);
      },
    });
    await createMcp().connect(transport as Parameters<Server['connect']>[0]);
    await transport.handleRequest(request, response);
  });
  server.listen(Number(process.env.PORT ?? 0), '127.0.0.1', () => {
    process.send?.({ type: 'ready', url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp` });
  });
  process.on('disconnect', () => process.exit(0));
}
