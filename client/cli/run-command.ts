import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { TollgateError } from '../../contracts/failures.ts';
import type { TaskDefinition } from '../../contracts/task.ts';
import { resolveCandidates } from '../../domain/task/candidates.ts';
import type { StartedRun } from '../agent-client.ts';
import { knownTask, type StartableTask } from '../known-task.ts';
import { type StartOptions, toStartRequest } from '../start-request.ts';
import { type ExitCode, exitCodeOfRun } from './exit-code.ts';
import { followRun, openAgentClient } from './run-reading.ts';
import { renderGate, renderRun } from './run-view.ts';
import type { CliServices } from './services.ts';

interface RunOptions {
  readonly input: string;
  readonly budgetUsd?: string;
  readonly tenant?: string;
  readonly feature?: string;
  readonly id?: string;
  readonly wait?: boolean;
  readonly json?: boolean;
}

/** `run <task>`: checks everything that can be checked, then starts a run. */
export function addRunCommand(program: Command, services: CliServices, end: (code: ExitCode) => void): void {
  program
    .command('run')
    .description('start a run of a task, given by name or as a folder with a task.yaml')
    .argument('<task>', 'the name of a task, or the path of a folder with a task.yaml')
    .requiredOption('--input <file>', 'JSON file with the input, or - for standard input; its "message" is the first user message')
    .option('--budget-usd <amount>', "overrides the task's budget")
    .option('--tenant <name>', 'whom the run is for')
    .option('--feature <name>', 'what the run is for')
    .option('--id <id>', 'id of the run; one that is going on under that id is returned, never a second one started')
    .option('--wait', 'wait for the end and print the result')
    .option('--json', 'print JSON')
    .action(async (task: string, options: RunOptions) => end(await run(services, task, options)));
}

async function run(services: CliServices, taskName: string, options: RunOptions): Promise<ExitCode> {
  const { terminal } = services;
  const { task, definition } = await findTask(services, taskName);
  const input = await readJson(services, options.input);
  const startOptions = startOptionsOf(options);
  await validate(services, task, definition, input, startOptions);

  const agent = await openAgentClient(services, { signs: false });
  const started = await agent.start(task, input as Record<string, unknown>, startOptions);
  if (options.wait) return await awaitEnd(services, started, options.json ?? false);
  if (options.json) terminal.print(JSON.stringify({ agentRunId: started.agentRunId }));
  else {
    terminal.print(`Started ${started.agentRunId}${services.provider() === 'simulated' ? ' (SIMULATED provider)' : ''}.`);
    terminal.print(`Watch it:  npx tollgate runs watch ${started.agentRunId}`);
  }
  return 0;
}

async function findTask(services: CliServices, name: string): Promise<{ readonly task: StartableTask; readonly definition: TaskDefinition }> {
  const looksLikePath = /[\\/]|^\.+$/.test(name);
  const isFolder = existsSync(join(resolve(services.cwd, name), 'task.yaml'));
  if (looksLikePath) return await readFolder(services, name);
  const { registry, spec, configPath } = await services.project();
  const definition = registry.tasks.get(name);
  const task = spec.tasks.find((candidate) => candidate.name === name);
  if (definition && task) return { task, definition };
  if (isFolder) return await readFolder(services, name);
  throw new TollgateError(
    'unknownTask',
    `There is no task "${name}" in ${configPath}, and no folder ${name} with a task.yaml. Tasks there are: ${[...registry.tasks.keys()].join(', ') || 'none'}.`,
  );
}

async function readFolder(services: CliServices, folder: string): Promise<{ readonly task: StartableTask; readonly definition: TaskDefinition }> {
  const task = await services.readTaskFolder(folder);
  return { task, definition: task.definition };
}

async function readJson(services: CliServices, file: string): Promise<unknown> {
  const text = file === '-' ? await services.terminal.readInput() : await readInputFile(resolve(services.cwd, file), file);
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    const source = file === '-' ? 'Standard input' : `The input file ${file}`;
    throw new TollgateError('invalidInput', `${source} is not valid JSON: ${(error as Error).message}. Give one JSON object, such as {"message": "…"}.`);
  }
}

async function readInputFile(path: string, shown: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new TollgateError(
      'invalidInput',
      `The input file ${shown} can't be read (${(error as NodeJS.ErrnoException).code}). Name a JSON file, or - for standard input.`,
      { cause: error },
    );
  }
}

/** Everything that can be wrong with a run before it is started, all at once. @throws TollgateError of the first problem's type. */
async function validate(services: CliServices, task: StartableTask, definition: TaskDefinition, input: unknown, options: StartOptions): Promise<void> {
  const problems: { readonly type: TollgateError['type']; readonly message: string }[] = [];
  const resolved = resolveCandidates(definition, services.catalogue((await services.project()).spec));
  if (resolved.type === 'problems') problems.push(...resolved.problems);
  try {
    toStartRequest({ ...knownTask(task), maxMessageBytes: definition.limits.maxMessageBytes }, input, services.identity().name, options);
  } catch (error) {
    if (!(error instanceof TollgateError)) throw error;
    problems.push(error);
  }
  const [first] = problems;
  if (first) throw new TollgateError(first.type, problems.map(({ message }) => message).join('\n'));
}

function startOptionsOf({ id, tenant, feature, budgetUsd }: RunOptions): StartOptions {
  return {
    ...(id === undefined ? {} : { id }),
    ...(tenant === undefined ? {} : { tenant }),
    ...(feature === undefined ? {} : { feature }),
    ...(budgetUsd === undefined ? {} : { budgetUsd }),
  };
}

async function awaitEnd(services: CliServices, started: StartedRun, json: boolean): Promise<ExitCode> {
  const { terminal } = services;
  if (!json)
    terminal.note(
      `Started ${started.agentRunId}${services.provider() === 'simulated' ? ' (SIMULATED provider)' : ''}; waiting for its end. Ctrl-C stops the waiting, not the run.`,
    );
  const shown = new Set<string>();
  const report = await followRun(services, started, ({ gates }) => {
    for (const gate of gates) {
      if (gate.status !== 'open' || shown.has(gate.approvalId)) continue;
      shown.add(gate.approvalId);
      for (const line of renderGate(gate, { columns: terminal.columns, style: (_name, text) => text })) terminal.note(line);
    }
  });
  if (json) terminal.print(JSON.stringify(report));
  else for (const line of renderRun(report, { columns: terminal.columns, style: terminal.style, maxSteps: Number.POSITIVE_INFINITY })) terminal.print(line);
  return exitCodeOfRun(report.status);
}
