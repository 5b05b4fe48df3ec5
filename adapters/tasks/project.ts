import { existsSync } from 'node:fs';
import { dirname, extname, join, relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { z } from 'zod';
import { TollgateError } from '../../contracts/failures.ts';
import type { TaskDefinition } from '../../contracts/task.ts';
import { isMcpTool, type ProjectSpec, type TaskSpec, type ToolSpec } from '../../domain/task/define.ts';
import { type TaskRegistry, toolKey } from '../../domain/task/registry-port.ts';
import { readPriceFile } from '../prices/override-file.ts';
import { patternProblems } from '../redaction/own-patterns.ts';
import { type Mistake, mistakesError } from './mistakes.ts';
import { PROJECT_GUIDE, projectSpecSchema } from './project-schema.ts';
import { formatPath, schemaMistakes } from './schema-mistakes.ts';
import { suggest } from './suggestion.ts';
import { toTaskDefinition } from './task-definition.ts';

const CONFIG_FILE = 'tollgate.config.ts';
/** In the clone its own configuration, in the package what was built from it. */
const SHIPPED_CONFIG = fileURLToPath(new URL(`../../tollgate.config${extname(import.meta.url)}`, import.meta.url));

export interface Project {
  readonly registry: TaskRegistry;
  readonly spec: ProjectSpec;
  /** The module with the project's own workflows. */
  readonly workflowsPath?: string;
  /** The file that was loaded. */
  readonly configPath: string;
}

/**
 * Loads a project: the file named by `configPath`, else the nearest `tollgate.config.ts` in `cwd` or above it, else the
 * tasks that Tollgate ships.
 * @throws TollgateError of type `invalidInput` that lists every mistake at once.
 */
export async function loadProject(configPath: string | undefined, cwd: string): Promise<Project> {
  const path = configPath === undefined ? (nearestConfig(cwd) ?? SHIPPED_CONFIG) : resolve(cwd, configPath);
  if (!existsSync(path))
    throw new TollgateError('invalidInput', `There is no configuration at ${path} (TOLLGATE_CONFIG). Create it, or unset TOLLGATE_CONFIG.`);
  const shown = relative(cwd, path) || path;
  const project = withPriceFile(toProject(await importSpec(path, shown), shown), dirname(path));
  return { ...(await withWorkflows(project, dirname(path), shown)), configPath: path };
}

/**
 * Checks a project's configuration; `shown` is what the messages call it.
 * @throws TollgateError of type `invalidInput` that lists every mistake at once.
 */
export function toProject(spec: unknown, shown: string): Omit<Project, 'configPath'> {
  const parsed = projectSpecSchema.safeParse(spec);
  if (!parsed.success) {
    const mistakes = schemaMistakes(parsed.error, spec, PROJECT_GUIDE).map(({ message }): Mistake => ({ place: shown, message }));
    throw mistakesError(`The configuration ${shown}`, mistakes);
  }
  const project = spec as ProjectSpec;
  return { registry: toRegistry(project, shown), spec: project };
}

/** Finds the project's price file, relative to `folder`, and checks it. @throws TollgateError of type `invalidInput`. */
function withPriceFile(project: Omit<Project, 'configPath'>, folder: string): Omit<Project, 'configPath'> {
  const { prices } = project.spec;
  if (prices === undefined) return project;
  const path = resolve(folder, prices);
  readPriceFile(path);
  return { ...project, spec: { ...project.spec, prices: path } };
}

/**
 * Finds the project's own workflows, relative to `folder`, and checks that every workflow a task names is there.
 * @throws TollgateError of type `invalidInput` that lists every mistake at once.
 */
export async function withWorkflows(project: Omit<Project, 'configPath'>, folder: string, shown: string): Promise<Omit<Project, 'configPath'>> {
  const { workflows, tasks } = project.spec;
  const path = workflows === undefined ? undefined : resolve(folder, workflows);
  const exported = path === undefined ? [] : await exportedFunctions(path, workflows ?? '', shown);
  const mistakes = tasks.flatMap(({ workflow }, index): Mistake[] => {
    if (workflow === undefined || workflow === 'agentRun' || exported.includes(workflow)) return [];
    const where =
      workflows === undefined
        ? 'the project names no module of workflows: add workflows: "./workflows.ts"'
        : `${workflows} exports no such function. ${suggest(workflow, exported)}`;
    return [{ place: shown, message: `${formatPath(['tasks', index, 'workflow'])}: there is no workflow "${workflow}"; ${where}` }];
  });
  if (mistakes.length > 0) throw mistakesError(`The configuration ${shown}`, mistakes);
  return { ...project, ...(path === undefined ? {} : { workflowsPath: path }) };
}

async function exportedFunctions(path: string, name: string, shown: string): Promise<string[]> {
  const unreadable = (reason: string, cause?: unknown) =>
    new TollgateError('invalidInput', `The module "workflows" of the configuration ${shown}, ${name}, can't be loaded: ${reason}`, { cause });
  if (!existsSync(path)) throw unreadable(`there is no file ${path}. The path is relative to the configuration.`);
  try {
    const loaded = (await import(pathToFileURL(path).href)) as Record<string, unknown>;
    return Object.keys(loaded).filter((key) => typeof loaded[key] === 'function');
  } catch (error) {
    throw unreadable((error as Error).message, error);
  }
}

function nearestConfig(folder: string): string | null {
  const path = join(folder, CONFIG_FILE);
  if (existsSync(path)) return path;
  const parent = dirname(folder);
  return parent === folder ? null : nearestConfig(parent);
}

async function importSpec(path: string, shown: string): Promise<unknown> {
  let loaded: { readonly default?: unknown };
  try {
    loaded = (await import(pathToFileURL(path).href)) as { default?: unknown };
  } catch (error) {
    if (error instanceof TollgateError) throw error;
    throw new TollgateError('invalidInput', `The configuration ${shown} can't be loaded: ${reasonOf(error as Error)}`, { cause: error });
  }
  if (typeof loaded.default !== 'object' || loaded.default === null)
    throw new TollgateError('invalidInput', `The configuration ${shown} has no default export. Write: export default defineConfig({ tasks: [...] });`);
  return loaded.default;
}

/** `npm init` writes a type that makes Node read every file as CommonJS, and Node's message names no way out. */
function reasonOf({ message }: Error): string {
  const isCommonJs = message.includes('import statement outside a module');
  return isCommonJs ? `${message}. Say "type": "module" in the project's package.json ("npm pkg set type=module").` : message;
}

function toRegistry(project: ProjectSpec, shown: string): TaskRegistry {
  const mistakes: Mistake[] = [];
  const report = (path: readonly PropertyKey[], message: string) => mistakes.push({ place: shown, message: `${formatPath(path)}: ${message}` });
  const tasks = new Map<string, TaskDefinition>();
  const tools = new Map<string, ToolSpec>();
  const outputs = new Map<string, z.ZodType>();
  for (const [index, task] of project.tasks.entries()) {
    if (tasks.has(task.name)) report(['tasks', index, 'name'], `there are two tasks "${task.name}". Rename one.`);
    const converted = toTaskDefinition(task);
    if (converted.type === 'problems') for (const { path, message } of converted.problems) report(['tasks', index, ...path], message);
    else tasks.set(task.name, converted.definition);
    if (task.output) outputs.set(task.name, task.output);
    addTools(task, tools, (toolIndex, message) => report(['tasks', index, 'tools', toolIndex], message));
  }
  checkEndpoints(project, report);
  checkMcpServers(project, report);
  for (const { path, message } of patternProblems(project.redaction ?? {})) report(['redaction', ...path], message);
  if (mistakes.length > 0) throw mistakesError(`The configuration ${shown}`, mistakes);
  return { tasks, tools, outputs };
}

function addTools(task: TaskSpec, tools: Map<string, ToolSpec>, report: (toolIndex: number, message: string) => void): void {
  const own = new Set<string>();
  for (const [index, tool] of (task.tools ?? []).entries()) {
    if (own.has(tool.name)) report(index, `the tool "${tool.name}" is in this task twice. Each tool of a task has its own name.`);
    own.add(tool.name);
    if (isMcpTool(tool)) continue;
    const key = toolKey(tool.name, tool.version ?? '1');
    const other = tools.get(key);
    if (other && other !== tool) report(index, `another tool is "${key}" already. Give one of them another name or version.`);
    tools.set(key, tool);
  }
}

function checkMcpServers(project: ProjectSpec, report: (path: readonly PropertyKey[], message: string) => void): void {
  const names = Object.keys(project.mcpServers ?? {});
  for (const [index, task] of project.tasks.entries())
    for (const [toolIndex, tool] of (task.tools ?? []).entries()) {
      if (!isMcpTool(tool) || names.includes(tool.server)) continue;
      report(['tasks', index, 'tools', toolIndex, 'server'], `there is no MCP server "${tool.server}" in "mcpServers". ${suggest(tool.server, names)}`);
    }
}

function checkEndpoints(project: ProjectSpec, report: (path: readonly PropertyKey[], message: string) => void): void {
  const names = Object.keys(project.endpoints ?? {});
  for (const [index, model] of (project.models ?? []).entries()) {
    if (model.endpoint === undefined || names.includes(model.endpoint)) continue;
    report(['models', index, 'endpoint'], `there is no endpoint "${model.endpoint}". ${suggest(model.endpoint, names)}`);
  }
}
