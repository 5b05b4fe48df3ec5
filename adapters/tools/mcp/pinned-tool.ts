import { TollgateError } from '../../../contracts/failures.ts';
import type { JsonObject } from '../../../contracts/json.ts';
import { type ToolBinding, type ToolDefinition, toolDefinitionSchema } from '../../../contracts/task.ts';
import { raisedEffect } from '../../../domain/tool/mcp-effect.ts';
import { suggest } from '../../tasks/suggestion.ts';
import { parametersProblem } from '../../tasks/tools-file.ts';
import type { OfferedTool } from './offered-tool.ts';

type McpBinding = Extract<ToolBinding, { type: 'mcp' }>;
type Offered = ReadonlyMap<string, OfferedTool>;

/**
 * A declared tool as a run is pinned to it: with the digest of what the server offers, its effect raised by the server's
 * hints, and the server's description and schema where the declaration has none.
 * @throws TollgateError `toolNotOffered` where the server offers no such tool, or another than declared.
 */
export function pinned(tool: ToolDefinition, binding: McpBinding, offered: Offered): ToolDefinition {
  const found = offered.get(binding.tool);
  if (!found) throw notOffered(binding, `offers no tool "${binding.tool}". ${suggest(binding.tool, namesOf(offered))}`);
  if (binding.schemaDigest !== undefined && binding.schemaDigest !== found.schemaDigest)
    throw notOffered(
      binding,
      `offers another tool "${binding.tool}" than the task was written for: its digest is ${found.schemaDigest}, and the task says ${binding.schemaDigest}. Look at it with "tollgate mcp list ${binding.server}", then put the new "schemaDigest" into the task.`,
    );
  if (found.needsTask)
    throw notOffered(binding, `offers "${binding.tool}" only as a task of the protocol's own (taskSupport: required), which is not supported.`);
  const description = isComplete(tool) ? tool.description : found.description;
  const parameters = isComplete(tool) ? tool.parameters : withoutDialect(found.inputSchema);
  const problem = parametersProblem(parameters);
  if (problem) throw notOffered(binding, `describes "${binding.tool}" in a way that can't be used: ${problem} Or declare the tool in a tools.json.`);
  const effect = raisedEffect(tool.effect, found.hints);
  const { local, ...rest } = tool;
  const complete = {
    ...rest,
    description,
    parameters,
    effect,
    binding: { ...binding, schemaDigest: found.schemaDigest },
    ...(local && effect === 'read' ? { local } : {}),
  };
  const parsed = toolDefinitionSchema.safeParse(complete);
  if (parsed.success) return parsed.data;
  throw notOffered(binding, `describes "${binding.tool}" in a way that can't be used: ${parsed.error.issues.map(({ message }) => message).join('; ')}.`);
}

/** What is no longer as the run is pinned to it, in a sentence; null where nothing is. */
export function changed(tool: ToolDefinition, binding: McpBinding, offered: Offered): string | null {
  const found = offered.get(binding.tool);
  const next = `Nothing was sent. Put the earlier version of the server back, or cancel the run; "tollgate mcp list ${binding.server}" shows what is offered now.`;
  if (!found) return `MCP server "${binding.server}" no longer offers the tool "${binding.tool}" that this run is pinned to. ${next}`;
  if (found.schemaDigest !== binding.schemaDigest)
    return `MCP server "${binding.server}" offers another tool "${binding.tool}" than the one that this run is pinned to: digest ${found.schemaDigest} in place of ${binding.schemaDigest}. ${next}`;
  const effect = raisedEffect(tool.effect, found.hints);
  if (effect !== tool.effect)
    return `MCP server "${binding.server}" now says that its tool "${binding.tool}" is ${effect}, and this run is pinned to it as ${tool.effect}. ${next}`;
  return null;
}

/** Some of the names: a message goes into Temporal's history. */
function namesOf(offered: Offered): string[] {
  return [...offered.keys()].slice(0, 40).map((name) => name.slice(0, 64));
}

/** A tool that a file declares has its own words for the model; `mcpTool` leaves them to the server. */
function isComplete({ parameters }: ToolDefinition): boolean {
  return Object.keys(parameters).length > 0;
}

function withoutDialect({ $schema: _dialect, ...schema }: JsonObject): JsonObject {
  return schema;
}

function notOffered({ server }: McpBinding, what: string): TollgateError {
  return new TollgateError('toolNotOffered', `MCP server "${server}" ${what}`);
}
