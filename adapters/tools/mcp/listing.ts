import type { JsonObject } from '../../../contracts/json.ts';
import type { Effect } from '../../../contracts/tool.ts';
import { type McpHints, raisedEffect } from '../../../domain/tool/mcp-effect.ts';
import type { McpServers } from './servers.ts';

/** A tool of an MCP server for whoever is to declare it. */
export interface McpToolListing {
  readonly name: string;
  readonly description: string;
  readonly parameters: JsonObject;
  /** What the server says of it; never counts in its favour. */
  readonly hints: McpHints;
  readonly schemaDigest: string;
  /** The least effect that the hints leave to a declaration. */
  readonly lowestEffect: Effect;
  /** For tollgate.config.ts. */
  readonly snippet: string;
  /** The same as an entry of a tools.json. */
  readonly toolsFileEntry: JsonObject;
}

/** What a server offers now. @throws TollgateError where it can't be used. */
export async function listMcpTools(servers: McpServers, server: string, signal: AbortSignal): Promise<readonly McpToolListing[]> {
  const offered = await servers.get(server).offeredNow(signal);
  return [...offered.values()].map(({ name, description, inputSchema, hints, schemaDigest }) => ({
    name,
    description,
    parameters: inputSchema,
    hints: Object.fromEntries(Object.entries(hints).filter(([, value]) => value !== undefined)),
    schemaDigest,
    lowestEffect: raisedEffect('read', hints),
    snippet: `mcpTool({ server: ${quoted(server)}, tool: ${quoted(name)}, effect: 'irreversible', schemaDigest: '${schemaDigest}' }),`,
    toolsFileEntry: { type: 'function', function: { name, description, parameters: inputSchema }, effect: 'irreversible', schemaDigest },
  }));
}

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('\n', '\\n')}'`;
}
