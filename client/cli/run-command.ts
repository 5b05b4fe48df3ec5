import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { TollgateError } from '../../contracts/failures.ts';
import { readTraceparent } from '../../telemetry/trace-ids.ts';
import type { StartedRun } from '../agent-client.ts';
import type { StoredTask } from '../known-task.ts';
import type { StartOptions } from '../start-request.ts';
import { type ExitCode, exitCodeOfRun } from './exit-code.ts';
import { lastReport } from './last-report.ts';
import { renderGate, renderRun } from './run-view.ts';
import type { CliServices } from './services.ts';

interface RunOptions {
  readonly input: string;
  readonly budgetUsd?: string;
  readonly budgetTokens?: string;
  readonly tenant?: string;
  readonly feature?: string;
  readonly subject?: string;
  readonly traceparent?: string;
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
    .option('--budget-tokens <count>', "overrides the task's limit in tokens")
    .option('--tenant <name>', 'whom the run is for')
    .option('--feature <name>', 'what the run is for')
    .option('--subject <person>', 'the person that the run is about, kept as a keyed hash; "erase --person" finds it')
    .option('--traceparent <context>', "the W3C trace context that the run's trace hangs below; default: the variable TRACEPARENT")
    .option('--id <id>', 'id of the run; one that is going on under that id is returned, never a second one started')
    .option('--wait', 'wait for the end and print the result')
    .option('--json', 'print JSON')
    .action(async (task: string, options: RunOptions) => end(await run(services, task, options)));
}

async function run(services: CliServices, taskName: string, options: RunOptions): Promise<ExitCode> {
  const { terminal } = services;
  const task = /[\\/]|^\.+$/.test(taskName) ? await services.readTaskFolder(taskName) : taskName;
  const input = await readJson(services, options.input);
  const inherited = services.traceparent();
  const above = options.traceparent === undefined && inherited !== undefined && readTraceparent(inherited) ? { traceparent: inherited } : {};
  const started = await start(services, task, input, { ...startOptionsOf(options), ...above });
  if (options.wait) return await awaitEnd(services, started, options.json ?? false);
  if (options.json) terminal.print(JSON.stringify({ agentRunId: started.agentRunId }));
  else {
    terminal.print(`Started ${started.agentRunId}${services.provider() === 'simulated' ? ' (SIMULATED provider)' : ''}.`);
    terminal.print(`Watch it:  npx tollgate runs watch ${started.agentRunId}`);
  }
  return 0;
}

/** A name that is no task of the project may be that of a folder. */
async function start(services: CliServices, task: string | StoredTask, input: unknown, options: StartOptions): Promise<StartedRun> {
  const runs = services.runs();
  try {
    return await runs.start(task, input, options);
  } catch (error) {
    if (typeof task !== 'string' || !(error instanceof TollgateError) || error.type !== 'unknownTask') throw error;
    if (existsSync(join(resolve(services.cwd, task), 'task.yaml'))) return await runs.start(await services.readTaskFolder(task), input, options);
    throw new TollgateError('unknownTask', `${error.message} There is no folder ${task} with a task.yaml either.`, { cause: error });
  }
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

function startOptionsOf({ id, tenant, feature, subject, budgetUsd, budgetTokens, traceparent }: RunOptions): StartOptions {
  return {
    ...(id === undefined ? {} : { id }),
    ...(tenant === undefined ? {} : { tenant }),
    ...(feature === undefined ? {} : { feature }),
    ...(subject === undefined ? {} : { subject }),
    ...(traceparent === undefined ? {} : { traceparent }),
    ...(budgetUsd === undefined ? {} : { budgetUsd }),
    ...(budgetTokens === undefined ? {} : { budgetTokens: Number(budgetTokens) }),
  };
}

async function awaitEnd(services: CliServices, started: StartedRun, json: boolean): Promise<ExitCode> {
  const { terminal } = services;
  if (!json)
    terminal.note(
      `Started ${started.agentRunId}${services.provider() === 'simulated' ? ' (SIMULATED provider)' : ''}; waiting for its end. Ctrl-C stops the waiting, not the run.`,
    );
  const shown = new Set<string>();
  const report = await lastReport(services.runs(), started, ({ gates }) => {
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
