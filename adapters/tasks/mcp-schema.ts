import { z } from 'zod';
import { compensationSchema, effectSchema, mcpServerNameSchema, refuseLocal, sha256Schema, toolDefinitionSchema } from '../../contracts/task.ts';
import type { FieldGuide } from './schema-mistakes.ts';

const variableName = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/);
const tool = toolDefinitionSchema.shape;

/** An entry of `mcpServers`. No union, so that every mistake names its own place. */
export const mcpServerSpecSchema = z
  .strictObject({
    command: z.string().min(1).max(1_000).optional(),
    args: z.array(z.string().max(4_000)).max(100).optional(),
    env: z.array(variableName).max(100).optional(),
    cwd: z.string().min(1).max(1_000).optional(),
    url: z.url({ protocol: /^https?$/ }).optional(),
    secretHeaders: z.record(z.string(), variableName).optional(),
  })
  .superRefine(({ command, args, env, cwd, url, secretHeaders }, context) => {
    const add = (message: string) => context.addIssue({ code: 'custom', message });
    if ((command === undefined) === (url === undefined)) add('an MCP server says exactly one of "command" (started on the worker\'s machine) and "url".');
    else if (url !== undefined && (args ?? env ?? cwd) !== undefined) add('"args", "env" and "cwd" belong to a server with a "command".');
    else if (command !== undefined && secretHeaders !== undefined) add('"secretHeaders" belongs to a server with a "url".');
  });

export const mcpServersSchema = z.record(mcpServerNameSchema, mcpServerSpecSchema);

/** What `mcpTool({…})` makes; `gate` as the project's other tools have it. */
export function mcpToolSpecSchema<Gate extends z.ZodType>(gate: Gate) {
  const spec = z.strictObject({
    type: z.literal('mcp'),
    server: z.string().min(1).max(64),
    tool: z.string().min(1).max(256),
    name: tool.name,
    version: tool.version.unwrap().optional(),
    effect: effectSchema.optional(),
    schemaDigest: sha256Schema.optional(),
    errorMeans: z.enum(['unknown', 'notDone']).optional(),
    volatileArguments: tool.volatileArguments.unwrap().optional(),
    gate: gate.optional(),
    needs: tool.needs,
    compensate: compensationSchema.required({ arguments: true }).optional(),
    local: z.boolean().optional(),
  });
  return spec.superRefine(({ effect = 'irreversible', local }, context) => refuseLocal({ effect, local }, context));
}

export const MCP_SERVERS_GUIDE: FieldGuide = {
  mcpServers: 'MCP servers by name: {shop: {command: "node", args: ["shop-server.js"]}}; a name has letters, digits, "_", "." and "-", at most 64',
  'mcpServers.*': '{command, args, env, cwd} or {url, secretHeaders}',
  'mcpServers.*.command': 'a command on the worker\'s machine, such as "npx"',
  'mcpServers.*.args': 'a list of texts, at most 100',
  'mcpServers.*.args.*': 'a text of at most 4000 characters',
  'mcpServers.*.env': 'a list of names of environment variables, such as ["SHOP_TOKEN"]; never a value',
  'mcpServers.*.env.*': 'the name of an environment variable, such as SHOP_TOKEN; never a value',
  'mcpServers.*.cwd': 'the path of a folder, relative to the configuration',
  'mcpServers.*.url': 'an address that starts with https:// or http://',
  'mcpServers.*.secretHeaders': 'header names with the names of environment variables, such as {Authorization: "SHOP_TOKEN"}; never a value',
  'mcpServers.*.secretHeaders.*': 'the name of an environment variable, such as SHOP_TOKEN; never a value',
};

export const MCP_TOOL_GUIDE: FieldGuide = {
  server: 'a name of "mcpServers"',
  tool: 'the name of a tool at the server',
  schemaDigest: 'the digest of the tool, 64 hex digits, as "tollgate mcp list <server>" prints it',
  errorMeans: '"unknown" or "notDone"',
};
