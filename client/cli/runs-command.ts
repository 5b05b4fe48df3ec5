import { type Command, InvalidArgumentError } from 'commander';
import type { AgentRunStatus } from '../../contracts/agent-run.ts';
import type { RunReport, RunSummary } from '../run-report.ts';
import { RUN_STATUSES } from '../run-statuses.ts';
import { type ExitCode, exitCodeOfRun } from './exit-code.ts';
import { addRepairCommands } from './repair-commands.ts';
import { runChanges } from './run-changes.ts';
import { lastReport } from './last-report.ts';
import { logsOfRun, renderLogLine } from './run-logs.ts';
import { renderRun } from './run-view.ts';
import type { CliServices } from './services.ts';
import { columns, shorten } from './text.ts';

const DEFAULT_LISTED = 50;
const MAX_LISTED = 1_000;
/** Steps that fit on a screen beside the rest. */
const WATCHED_STEPS = 12;

interface ListOptions {
  readonly status?: AgentRunStatus;
  readonly task?: string;
  readonly tenant?: string;
  readonly limit: number;
  readonly json?: boolean;
}

/** `runs list|show|cancel|watch|message`, and repairs: only `cancel`, `message` and repairs need Temporal. */
export function addRunsCommand(program: Command, services: CliServices, end: (code: ExitCode) => void): void {
  const runs = program.command('runs').description('look at runs, repair and stop them');
  runs
    .command('list')
    .description('list runs, newest first')
    .option('--status <status>', `one of ${RUN_STATUSES.join(', ')}`, parseStatus)
    .option('--task <name>', 'only runs of this task')
    .option('--tenant <name>', 'only runs for this tenant')
    .option('--limit <count>', 'at most this many', parseLimit, DEFAULT_LISTED)
    .option('--json', 'print JSON')
    .action(async (options: ListOptions) => end(await list(services, options)));
  runs
    .command('show')
    .description('show what a run did, what it cost and what it waits for')
    .argument('<id>', 'id of the run')
    .option('--logs', 'what the processes of "tollgate dev" logged about it')
    .option('--json', 'print JSON')
    .action(async (id: string, options: ShowOptions) => end(await (options.logs ? showLogs : show)(services, id, options.json ?? false)));
  runs
    .command('watch')
    .description('follow a run until it ends')
    .argument('<id>', 'id of the run')
    .option('--json', 'print the last state as JSON')
    .action(async (id: string, options: { readonly json?: boolean }) => end(await watch(services, id, options.json ?? false)));
  runs
    .command('cancel')
    .description('ask a run to stop')
    .argument('<id>', 'id of the run')
    .option('--json', 'print JSON')
    .action(async (id: string, options: { readonly json?: boolean }) => end(await cancel(services, id, options.json ?? false)));
  runs
    .command('message')
    .description('say something to a running run; it enters before the next model call')
    .argument('<id>', 'id of the run')
    .argument('<text>', 'what to say, or - for standard input')
    .option('--message-id <id>', 'the same id again is the same message')
    .option('--json', 'print JSON')
    .action(async (id: string, text: string, options: SayOptions) => end(await say(services, id, text, options)));
  addRepairCommands(runs, services, end);
}

interface SayOptions {
  readonly messageId?: string;
  readonly json?: boolean;
}

async function say(services: CliServices, id: string, text: string, { messageId, json }: SayOptions): Promise<ExitCode> {
  const said = text === '-' ? await services.terminal.readInput() : text;
  const sent = await services.runs().addUserMessage(id, said, messageId === undefined ? {} : { messageId });
  if (json) services.terminal.print(JSON.stringify({ agentRunId: id, ...sent }));
  else services.terminal.print(`Sent to ${id}; it enters before the run's next model call (message ${sent.messageId}).`);
  return 0;
}

async function list(services: CliServices, { json, limit, status, task, tenant }: ListOptions): Promise<ExitCode> {
  const runs = await services.runs().list({ limit, ...(status ? { status } : {}), ...(task ? { task } : {}), ...(tenant ? { tenant } : {}) });
  if (json) services.terminal.print(JSON.stringify(runs));
  else for (const line of renderList(runs)) services.terminal.print(line);
  return 0;
}

/** Runs as a table for people. */
export function renderList(runs: readonly RunSummary[]): string[] {
  if (runs.length === 0) return ['No runs yet. Start one with "npx tollgate run <task> --input <file>".'];
  const rows = runs.map((run) => [
    shorten(run.agentRunId, 60),
    run.task,
    run.tenant,
    run.status,
    `${run.ledger.settledUsd} of ${run.ledger.limitUsd} USD`,
    run.startedAt,
  ]);
  return columns([['RUN', 'TASK', 'TENANT', 'STATUS', 'SPENT', 'STARTED'], ...rows]);
}

async function show(services: CliServices, id: string, json: boolean): Promise<ExitCode> {
  const report = await services.runs().show(id);
  if (json) services.terminal.print(JSON.stringify(report));
  else print(services, report);
  return 0;
}

interface ShowOptions {
  readonly logs?: boolean;
  readonly json?: boolean;
}

async function showLogs(services: CliServices, id: string, json: boolean): Promise<ExitCode> {
  const { terminal } = services;
  const lines = logsOfRun(services.home(), id);
  if (json) terminal.print(JSON.stringify(lines));
  else for (const line of lines) terminal.print(renderLogLine(line));
  if (lines.length === 0 && !json)
    terminal.note(`No line about ${id} in ${services.home()}/logs, where "tollgate dev" writes what its processes log. Other processes log to standard error.`);
  return 0;
}

async function watch(services: CliServices, id: string, json: boolean): Promise<ExitCode> {
  const { terminal } = services;
  let before: RunReport | null = null;
  const report = await lastReport(services.runs(), { agentRunId: id }, (current) => {
    if (json) return;
    if (terminal.isTerminal) terminal.redraw(frame(services, current));
    else for (const line of runChanges(before, current)) terminal.print(line);
    before = current;
  });
  if (json) terminal.print(JSON.stringify(report));
  else if (terminal.isTerminal) {
    terminal.redraw([]);
    print(services, report);
  } else {
    for (const line of runChanges(before, report)) terminal.print(line);
    if (report.output !== null) terminal.print(report.output);
  }
  return exitCodeOfRun(report.status);
}

function frame(services: CliServices, report: RunReport): string[] {
  const { columns: width, style } = services.terminal;
  return renderRun(report, { columns: width, style, maxSteps: WATCHED_STEPS });
}

async function cancel(services: CliServices, id: string, json: boolean): Promise<ExitCode> {
  const { type } = await services.runs().cancel(id);
  if (json) services.terminal.print(JSON.stringify({ agentRunId: id, cancellation: type }));
  else if (type === 'ended') services.terminal.note(`The run ${id} has ended already; nothing was stopped.`);
  else services.terminal.print(`Asked ${id} to stop. A model call under way is accounted for first; see "npx tollgate runs show ${id}".`);
  return type === 'ended' ? 1 : 0;
}

function print({ terminal }: CliServices, report: RunReport): void {
  for (const line of renderRun(report, { columns: terminal.columns, style: terminal.style, maxSteps: Number.POSITIVE_INFINITY })) terminal.print(line);
}

function parseStatus(value: string): AgentRunStatus {
  const status = RUN_STATUSES.find((candidate) => candidate === value);
  if (!status) throw new InvalidArgumentError(`It is one of ${RUN_STATUSES.join(', ')}.`);
  return status;
}

function parseLimit(value: string): number {
  const limit = Number(value);
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LISTED) throw new InvalidArgumentError(`It is a whole number from 1 to ${MAX_LISTED}.`);
  return limit;
}
