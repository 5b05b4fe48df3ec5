import type { ToolDefinition } from '../../contracts/task.ts';
import type { Store } from '../../domain/store/port.ts';
import type { TaskRegistry } from '../../domain/task/registry-port.ts';
import type { ToolBindingRuntime } from '../../domain/tool/runtime-port.ts';
import { createFunctionRuntime } from './function-tool.ts';
import { createHttpRuntime } from './http-tool.ts';
import type { McpServers } from './mcp/servers.ts';
import { createMcpRuntime } from './mcp-tool.ts';
import { createRecordedRuntime } from './recorded-tool.ts';

export interface ToolRuntimeOptions {
  readonly registry: TaskRegistry;
  readonly store: Store;
  readonly mcpServers: McpServers;
  /** Whether `http` bindings may go to this machine. */
  readonly allowLoopback: boolean;
  /** The value of a secret by its name. */
  readonly secret: (name: string) => string | undefined;
}

/** How each kind of binding is carried out. */
export function createToolRuntimes({ registry, store, mcpServers, allowLoopback, secret }: ToolRuntimeOptions): (tool: ToolDefinition) => ToolBindingRuntime {
  const runtimes = {
    function: createFunctionRuntime(registry),
    recorded: createRecordedRuntime(store),
    http: createHttpRuntime({ allowLoopback, secret }),
    mcp: createMcpRuntime(mcpServers),
  };
  return (tool) => runtimes[tool.binding.type];
}
