import type { Command } from 'commander';
import type { JsonObject } from '../../contracts/json.ts';
import type { Effect } from '../../contracts/tool.ts';
import type { ExitCode } from './exit-code.ts';
import type { CliServices } from './services.ts';
import { shorten } from './text.ts';

/** A tool of an MCP server, for whoever is to declare it. */
export interface McpToolView {
  readonly name: string;
  readonly description: string;
  readonly hints: object;
  readonly schemaDigest: string;
  readonly lowestEffect: Effect;
  readonly snippet: string;
  readonly toolsFileEntry: JsonObject;
}

/** `mcp list <server>`: what a server offers, with what a declaration of it needs. */
export function addMcpCommand(program: Command, services: CliServices, end: (code: ExitCode) => void): void {
  const mcp = program.command('mcp').description('look at MCP servers of the configuration');
  mcp
    .command('list')
    .description('start an MCP server and show its tools, with their digests and what to paste')
    .argument('<server>', 'a name of "mcpServers" in tollgate.config.ts')
    .option('--json', 'print JSON')
    .option('--tools-file', 'print a tools.json for a task given as files')
    .action(async (server: string, options: { readonly json?: boolean; readonly toolsFile?: boolean }) => {
      const tools = await services.listMcpTools(server);
      if (options.toolsFile)
        services.terminal.print(
          JSON.stringify(
            tools.map(({ toolsFileEntry }) => toolsFileEntry),
            null,
            2,
          ),
        );
      else if (options.json) services.terminal.print(JSON.stringify({ server, tools }));
      else for (const line of renderMcpTools(server, tools, services.terminal.columns)) services.terminal.print(line);
      end(0);
    });
}

/** The tools for people. What a server says stands on one line each, so that it can't pass for something of ours. */
export function renderMcpTools(server: string, tools: readonly McpToolView[], width: number): string[] {
  if (tools.length === 0) return [`MCP server "${server}" offers no tools.`];
  const lines = tools.flatMap(({ name, description, hints, lowestEffect, schemaDigest }) => [
    printable(name),
    `  says      ${shorten(printable(description) || 'nothing', Math.max(20, width - 12))}`,
    `  hints     ${
      Object.entries(hints)
        .map(([hint, value]) => `${hint} ${value}`)
        .join(', ') || 'none'
    }`,
    `  effect    ${effectText[lowestEffect]}`,
    `  digest    ${schemaDigest}`,
    '',
  ]);
  return [
    ...lines,
    'For the "tools" of a task in tollgate.config.ts. Lower an effect only where you know what the tool does:',
    ...tools.map(({ snippet }) => `  ${snippet}`),
  ];
}

const effectText: Readonly<Record<Effect, string>> = {
  read: 'irreversible, unless you declare read or write',
  write: 'irreversible, unless you declare write (the hints rule out read)',
  irreversible: 'irreversible (the hints rule out read and write)',
};

function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ').trim();
}
