import { TollgateError } from '../../../contracts/failures.ts';
import type { TaskDefinition, ToolDefinition } from '../../../contracts/task.ts';
import { createMcpRuntime } from '../mcp-tool.ts';
import type { McpServers } from './servers.ts';

export interface McpCheck {
  readonly problems: readonly string[];
  /** Tools whose declared effect the server's hints raise. */
  readonly raised: readonly string[];
}

/** Starts every configured server and looks for every tool of the tasks as a run would be pinned to it. */
export async function checkMcpServers(servers: McpServers, tasks: Iterable<TaskDefinition>, signal: AbortSignal): Promise<McpCheck> {
  const tools = [...tasks].flatMap((task) => task.tools.filter(({ binding }) => binding.type === 'mcp'));
  const problems: string[] = [];
  const raised: string[] = [];
  const look = async (server: string) => {
    await servers.get(server).offeredNow(signal);
    for (const tool of tools.filter(({ binding }) => binding.type === 'mcp' && binding.server === server)) {
      const pinned = await pin(servers, tool, signal, problems);
      if (pinned && pinned.effect !== tool.effect) raised.push(`${tool.name} (${server}): declared ${tool.effect}, ${pinned.effect} by its hints`);
    }
  };
  await Promise.all(servers.names.map((server) => look(server).catch((error: unknown) => problems.push(messageOf(error)))));
  return { problems: [...new Set(problems)], raised: [...new Set(raised)] };
}

async function pin(servers: McpServers, tool: ToolDefinition, signal: AbortSignal, problems: string[]): Promise<ToolDefinition | null> {
  try {
    return (await createMcpRuntime(servers).pin?.(tool, signal)) ?? null;
  } catch (error) {
    problems.push(messageOf(error));
    return null;
  }
}

function messageOf(error: unknown): string {
  if (error instanceof TollgateError) return error.message;
  throw error;
}
