import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js';
import { TollgateError } from '../../contracts/failures.ts';
import type { JsonObject } from '../../contracts/json.ts';
import type { ToolDefinition } from '../../contracts/task.ts';
import type { ToolBindingRuntime, ToolContext, ToolDispatch } from '../../domain/tool/runtime-port.ts';
import { NotSentError } from './guarded-request.ts';
import { type CallErrorKind, McpCallError } from './mcp/call-error.ts';
import { changed, pinned } from './mcp/pinned-tool.ts';
import { resultOf, textOf } from './mcp/result.ts';
import type { Offered } from './mcp/server.ts';
import type { McpServers } from './mcp/servers.ts';

/** Where the idempotency key is found in the `_meta` of a call. */
export const IDEMPOTENCY_KEY_META = 'tollgate/idempotencyKey';
/** How old the list of tools may be that an irreversible action was prepared with. */
const PREPARED_MAX_AGE_MS = 10_000;
const MAX_DETAIL_LENGTH = 1_000;

/** Tools of MCP servers. Only the tool that a run is pinned to is ever called: one that has changed since is refused. */
export function createMcpRuntime(servers: McpServers): ToolBindingRuntime {
  return {
    destination: (tool) => {
      const { server, tool: name, schemaDigest } = mcpBinding(tool);
      const schema = schemaDigest === undefined ? '' : `, schema ${schemaDigest.slice(0, 12)}`;
      return `MCP server "${server}" (${servers.get(server).describe()}), tool ${name}${schema}`;
    },
    pin: async (tool, signal) => {
      const binding = mcpBinding(tool);
      return pinned(tool, binding, await servers.get(binding.server).offeredNow(signal));
    },
    prepare: async (tool, { signal }) => {
      mustBePinned(tool, await servers.get(mcpBinding(tool).server).offeredNow(signal));
    },
    dispatch: (tool, args, context) => (context.atMostOnce ? dispatchOnce(servers, tool, args, context) : dispatchRepeatable(servers, tool, args, context)),
  };
}

/** Waits for a connection and for room. A server that can't be used may be tried again. */
async function dispatchRepeatable(servers: McpServers, tool: ToolDefinition, args: JsonObject, context: ToolContext): Promise<ToolDispatch> {
  const server = servers.get(mcpBinding(tool).server);
  try {
    const result = await server.whenThereIsRoom(context.signal, async () => {
      mustBePinned(tool, await server.offered(context.signal));
      return await server.callAtOnce(callOf(tool, args, context), context.signal);
    });
    return result.isError ? { type: 'notDone', message: errorText(result) } : { type: 'done', result: resultOf(result) };
  } catch (error) {
    if (error instanceof TollgateError && error.type === 'toolServerUnavailable') return { type: 'unknown', message: error.message };
    if (error instanceof TollgateError) throw error;
    // Another try finds another connection; only what the server itself refused stays so.
    return { type: isOfKind(error, 'refused') ? 'notDone' : 'unknown', message: describeError(tool, error) };
  }
}

/** The intent is written: whatever isn't ready is not waited for, and nothing may throw. */
async function dispatchOnce(servers: McpServers, tool: ToolDefinition, args: JsonObject, context: ToolContext): Promise<ToolDispatch> {
  const binding = mcpBinding(tool);
  const server = servers.get(binding.server);
  const offered = server.heard(PREPARED_MAX_AGE_MS);
  if (!offered) return { type: 'notDone', message: `MCP server "${binding.server}" was lost, or its tools changed, just before the call. Nothing was sent.` };
  const change = changed(tool, binding, offered);
  if (change) return { type: 'notDone', message: change };
  try {
    const result = await server.callAtOnce(callOf(tool, args, context), context.signal);
    if (!result.isError) return { type: 'done', result: resultOf(result) };
    if (binding.errorMeans === 'notDone') return { type: 'notDone', message: errorText(result) };
    const said = errorText(result).slice(0, MAX_DETAIL_LENGTH);
    return { type: 'unknown', message: `The server answered with an error, which does not say that nothing was done: ${said}` };
  } catch (error) {
    const isCertain = error instanceof NotSentError || isOfKind(error, 'refused', 'notTaken');
    return { type: isCertain ? 'notDone' : 'unknown', message: describeError(tool, error) };
  }
}

function isOfKind(error: unknown, ...kinds: readonly CallErrorKind[]): boolean {
  return error instanceof McpCallError && kinds.includes(error.kind);
}

function describeError(tool: ToolDefinition, error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return error instanceof NotSentError ? message : `MCP server "${mcpBinding(tool).server}": ${message}`;
}

function errorText({ content }: CallToolResult): string {
  return textOf(content).trim() || 'The tool answered with an error and did not say which.';
}

/** @throws TollgateError `toolChanged`. */
function mustBePinned(tool: ToolDefinition, offered: Offered): void {
  const change = changed(tool, mcpBinding(tool), offered);
  if (change) throw new TollgateError('toolChanged', change);
}

function callOf(tool: ToolDefinition, args: JsonObject, { idempotencyKey }: ToolContext) {
  return { tool: mcpBinding(tool).tool, arguments: args, meta: { [IDEMPOTENCY_KEY_META]: idempotencyKey } };
}

function mcpBinding(tool: ToolDefinition) {
  if (tool.binding.type !== 'mcp') throw new TollgateError('invariantBroken', `Tool "${tool.name}" is bound to ${tool.binding.type}, not to an MCP server.`);
  return tool.binding;
}
