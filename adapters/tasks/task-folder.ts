import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';
import type { JsonObject } from '../../contracts/json.ts';
import { jsonObjectSchema, limitsSchema, type TaskDefinition, type ToolDefinition, taskDefinitionSchema } from '../../contracts/task.ts';
import { type Mistake, mistakesError } from './mistakes.ts';
import { outputSchemaProblem } from './output-schema.ts';
import { recordingMistakes } from './recording-file.ts';
import { schemaMistakes } from './schema-mistakes.ts';
import { parseJson, parseYaml, readText, type SourceFile } from './source-file.ts';
import { gatePolicyOf } from './gate-schema.ts';
import { TASK_FILE_GUIDE, type TaskFile, taskFileSchema } from './task-file-schema.ts';
import { suggest } from './suggestion.ts';
import { type GroupBinding, parseToolsFile } from './tools-file.ts';

const TASK_FILE = 'task.yaml';

/** A task given as files, ready to be put into the store. */
export interface TaskFolder {
  readonly definition: TaskDefinition;
  /** Texts that the definition names by digest (recorded results). */
  readonly contents: string[];
}

export interface TaskFolderOptions {
  /** Names of the MCP servers that the project has. Absent: not known here, so names are not checked. */
  readonly mcpServers?: readonly string[];
}

/**
 * Reads `task.yaml` and the files that it names.
 * @throws TollgateError of type `invalidInput` that lists every mistake of every file at once, each with file, line, column and fix.
 */
export async function readTaskFolder(folder: string, { mcpServers }: TaskFolderOptions = {}): Promise<TaskFolder> {
  const place = join(folder, TASK_FILE);
  const read = await readText(resolve(place));
  if (read.type === 'unreadable')
    throw mistakesError(`The task in ${folder}`, [{ place, message: `can't be read: ${read.reason}. A task folder has a ${TASK_FILE}.` }]);
  const source = parseYaml(place, read.text);
  if ('mistakes' in source) throw mistakesError(`The task in ${folder}`, source.mistakes);

  const reader = new FolderReader(folder, source, mcpServers);
  const parsed = taskFileSchema.safeParse(source.value);
  const promptName = fieldOf(source.value, 'prompt');
  const prompt = typeof promptName === 'string' ? await reader.referenced(promptName, ['prompt']) : null;
  const tools = await reader.tools(fieldOf(source.value, 'tools'));
  const outputSchema = await reader.outputSchema(fieldOf(source.value, 'output'));
  const found = parsed.success ? [] : schemaMistakes(parsed.error, source.value, TASK_FILE_GUIDE);
  const mistakes = [...found.map(({ path, key, message }) => ({ place, ...source.locate(path, key), message })), ...reader.mistakes];
  if (!parsed.success || prompt === null || mistakes.length > 0) throw mistakesError(`The task in ${folder}`, mistakes);

  const definition = taskDefinitionSchema.safeParse(toDefinition(parsed.data, prompt.text, tools, outputSchema));
  if (!definition.success)
    throw mistakesError(
      `The task in ${folder}`,
      definition.error.issues.map((issue) => ({ place, ...source.locate(issue.path), message: `${issue.path.join('.')}: ${issue.message}.` })),
    );
  return { definition: definition.data, contents: reader.contents };
}

/** Follows the references of a task file and collects what is wrong with them. */
class FolderReader {
  readonly mistakes: Mistake[] = [];
  readonly contents: string[] = [];
  readonly #folder: string;
  readonly #source: SourceFile;
  readonly #mcpServers: readonly string[] | undefined;

  constructor(folder: string, source: SourceFile, mcpServers: readonly string[] | undefined) {
    this.#folder = folder;
    this.#source = source;
    this.#mcpServers = mcpServers;
  }

  async referenced(path: string, at: readonly PropertyKey[]): Promise<{ readonly place: string; readonly text: string } | null> {
    const place = join(this.#folder, path);
    const read = await readText(resolve(this.#folder, path));
    if (read.type === 'text') return { place, text: read.text };
    this.#mistake(at, `${String(at.at(-1))}: "${path}" can't be read: ${read.reason}. Paths are relative to ${this.#source.place}.`);
    return null;
  }

  /** Reads the tools that can be read, whatever else is wrong: every mistake is to be listed at once. */
  async tools(groups: unknown): Promise<readonly ToolDefinition[]> {
    if (!Array.isArray(groups)) return [];
    const tools: ToolDefinition[] = [];
    for (const [index, group] of groups.entries()) {
      const binding = await this.#binding(fieldOf(group, 'bind'), ['tools', index, 'bind']);
      const from = fieldOf(group, 'from');
      const file = typeof from === 'string' ? await this.referenced(from, ['tools', index, 'from']) : null;
      if (!file) continue;
      const parsed = parseToolsFile(file.place, file.text, binding);
      this.mistakes.push(...parsed.mistakes);
      for (const tool of parsed.tools) {
        if (tools.some((other) => other.name === tool.name))
          this.#mistake(['tools', index, 'from'], `from: the tool "${tool.name}" is there twice. Each tool of a task has its own name.`);
        tools.push(tool);
      }
    }
    return tools;
  }

  /** The JSON Schema of the answer; undefined where the task has none, or none that can be used. */
  async outputSchema(path: unknown): Promise<JsonObject | undefined> {
    const file = typeof path === 'string' ? await this.referenced(path, ['output']) : null;
    if (!file) return undefined;
    const parsed = parseJson(file.place, file.text);
    if ('mistakes' in parsed) this.mistakes.push(...parsed.mistakes);
    else {
      const { $schema: _dialect, ...schema } = jsonObjectSchema.safeParse(parsed.value).data ?? {};
      const problem = outputSchemaProblem(schema);
      if (problem === null) return schema;
      this.mistakes.push({ place: file.place, ...parsed.locate([]), message: problem });
    }
    return undefined;
  }

  async #binding(bind: unknown, at: readonly PropertyKey[]): Promise<GroupBinding> {
    const recorded = fieldOf(bind, 'recorded');
    if (typeof recorded === 'string') {
      const file = await this.referenced(recorded, [...at, 'recorded']);
      if (!file) return { type: 'recorded', contentDigest: '' };
      this.mistakes.push(...recordingMistakes(file.place, file.text));
      if (!this.contents.includes(file.text)) this.contents.push(file.text);
      return { type: 'recorded', contentDigest: createHash('sha256').update(file.text, 'utf8').digest('hex') };
    }
    const mcp = fieldOf(bind, 'mcp');
    const server = fieldOf(mcp, 'server');
    if (typeof server === 'string') return this.#mcpBinding(server, fieldOf(mcp, 'tool'), [...at, 'mcp', 'server']);
    const parsed = taskFileSchema.shape.tools.unwrap().element.shape.bind.safeParse(bind);
    if (!parsed.success) return { type: 'recorded', contentDigest: '' };
    const { http = '', secretHeaders, timeout } = parsed.data;
    return { type: 'http', url: http, ...(secretHeaders ? { secretHeaders } : {}), ...(timeout === undefined ? {} : { timeoutMs: timeout }) };
  }

  #mcpBinding(server: string, tool: unknown, at: readonly PropertyKey[]): GroupBinding {
    if (this.#mcpServers?.includes(server) === false)
      this.#mistake(at, `server: there is no MCP server "${server}" in the configuration. ${suggest(server, this.#mcpServers)}`);
    return { type: 'mcp', server, ...(typeof tool === 'string' ? { tool } : {}) };
  }

  #mistake(at: readonly PropertyKey[], message: string): void {
    this.mistakes.push({ place: this.#source.place, ...this.#source.locate(at), message });
  }
}

function toDefinition(file: TaskFile, prompt: string, tools: readonly ToolDefinition[], outputSchema: JsonObject | undefined): unknown {
  const { modelTimeout, toolTimeout, maxRetryWait, maxQuotaWait, maxUnavailableWait, maxDuration, ...limits } = file.limits;
  const { irreversible, budget, inDoubt, unavailable } = file.gates;
  return {
    version: 1,
    name: file.name,
    prompt,
    models: file.models,
    maxOutputTokens: file.maxOutputTokens,
    budgetLimitNanoUsd: file.budgetUsd,
    onBudgetExhausted: file.onBudgetExhausted,
    raiseByNanoUsd: file.raiseByUsd,
    budgetLimitTokens: file.budgetTokens,
    raiseByTokens: file.raiseByTokens,
    onQuotaDenied: file.onQuotaDenied,
    onModelsUnavailable: file.onModelsUnavailable,
    unavailableMessage: file.unavailableMessage,
    tools,
    outputSchema,
    gates: {
      irreversible: gatePolicyOf(irreversible),
      budget: budget && gatePolicyOf(budget),
      inDoubt: inDoubt && gatePolicyOf(inDoubt),
      unavailable: unavailable && gatePolicyOf(unavailable),
    },
    onDenied: file.onDenied,
    onExpired: file.onExpired,
    providerStorage: file.providerStorage,
    onFailure: file.onFailure,
    compensateOn: file.compensateOn,
    ...(file.redaction ? { redaction: file.redaction } : {}),
    limits: limitsSchema.parse({
      ...limits,
      maxSteps: file.maxSteps ?? limits.maxSteps,
      modelTimeoutMs: modelTimeout,
      toolTimeoutMs: toolTimeout,
      maxRetryWaitMs: maxRetryWait,
      maxQuotaWaitMs: maxQuotaWait,
      maxUnavailableWaitMs: maxUnavailableWait,
      maxDurationMs: maxDuration,
    }),
  };
}

function fieldOf(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}
