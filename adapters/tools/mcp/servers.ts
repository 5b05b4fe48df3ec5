import { TollgateError } from '../../../contracts/failures.ts';
import type { McpServerSpec } from '../../../domain/task/define.ts';
import { McpServer } from './server.ts';
import type { TransportOptions } from './transports.ts';

export interface McpServersOptions extends Omit<TransportOptions, 'log'> {
  readonly servers: Readonly<Record<string, McpServerSpec>>;
  /** A line that a server wrote to its standard error. */
  readonly log: (server: string, line: string) => void;
}

/** The MCP servers of a project. Nothing is started before it is used. */
export class McpServers {
  readonly #servers: ReadonlyMap<string, McpServer>;

  constructor({ servers, log, ...options }: McpServersOptions) {
    this.#servers = new Map(Object.entries(servers).map(([name, spec]) => [name, new McpServer(name, spec, { ...options, log: (line) => log(name, line) })]));
  }

  get names(): readonly string[] {
    return [...this.#servers.keys()];
  }

  /** @throws TollgateError `toolVersionUnavailable` where this process is configured without it. */
  get(name: string): McpServer {
    const server = this.#servers.get(name);
    if (server) return server;
    throw new TollgateError(
      'toolVersionUnavailable',
      `There is no MCP server "${name}" in this configuration (there is: ${this.names.join(', ') || 'none'}). Add it to "mcpServers" in tollgate.config.ts.`,
    );
  }

  /** Ends every connection, and every server that was started. */
  async close(): Promise<void> {
    await Promise.all([...this.#servers.values()].map((server) => server.close()));
  }
}
