import type { Effect } from '../../contracts/tool.ts';

/** What an MCP server says of its tool. It may be wrong or lie, so it never counts in the tool's favour. */
export interface McpHints {
  readonly readOnlyHint?: boolean | undefined;
  readonly destructiveHint?: boolean | undefined;
  readonly idempotentHint?: boolean | undefined;
  readonly openWorldHint?: boolean | undefined;
}

/**
 * The declared effect, raised by what the server says outright; what it leaves out raises nothing. A destructive tool, and
 * one that does more when it is repeated (a `write` is repeated), is irreversible; one that changes something is no `read`.
 */
export function raisedEffect(declared: Effect, hints: McpHints): Effect {
  const { readOnlyHint, destructiveHint, idempotentHint } = hints;
  if (declared === 'irreversible' || destructiveHint === true) return 'irreversible';
  if (readOnlyHint === true) return declared;
  if (idempotentHint === false) return 'irreversible';
  return readOnlyHint === false ? 'write' : declared;
}
