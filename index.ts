export { TollgateError } from './contracts/failures.ts';
export type { EndpointSpec, McpServerSpec, McpToolSpec, ModelSpec, ProjectSpec, TaskSpec, ToolSpec } from './domain/task/define.ts';
export { defineConfig, defineTask, defineTool, mcpTool, ToolNotDone } from './domain/task/define.ts';
export type { ToolContext, ToolReconciliation } from './domain/tool/runtime-port.ts';
