import { createHash } from 'node:crypto';
import type { Tool } from '@modelcontextprotocol/sdk/types.js';
import canonicalize from 'canonicalize';
import type { JsonObject } from '../../../contracts/json.ts';
import type { McpHints } from '../../../domain/tool/mcp-effect.ts';

/** A tool as an MCP server offers it now. */
export interface OfferedTool {
  readonly name: string;
  readonly description: string;
  readonly inputSchema: JsonObject;
  readonly hints: McpHints;
  /** Whether it can only be called as a task of the protocol's own, which we do not do. */
  readonly needsTask: boolean;
  /** SHA-256 over name, description and input schema: what a team looks at before it declares an effect. */
  readonly schemaDigest: string;
}

export function toOfferedTool({ name, description = '', inputSchema, annotations = {}, execution }: Tool): OfferedTool {
  const { readOnlyHint, destructiveHint, idempotentHint, openWorldHint } = annotations;
  const schema = inputSchema as unknown as JsonObject;
  return {
    name,
    description,
    inputSchema: schema,
    hints: { readOnlyHint, destructiveHint, idempotentHint, openWorldHint },
    needsTask: execution?.taskSupport === 'required',
    schemaDigest: createHash('sha256')
      .update(canonicalize({ name, description, inputSchema: schema }) ?? '', 'utf8')
      .digest('hex'),
  };
}
