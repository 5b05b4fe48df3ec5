import type { Command } from 'commander';
import { TollgateError } from '../../contracts/failures.ts';
import type { JsonObject } from '../../contracts/json.ts';
import type { DecisionResult } from '../decision.ts';
import type { GateReport } from '../gate-report.ts';
import { approveMany, type BatchOptions } from './approve-many.ts';
import { addAttentionCommands } from './attention-commands.ts';
import { type ExitCode, exitCodeOfDecision } from './exit-code.ts';
import { renderGate } from './run-view.ts';
import type { CliServices } from './services.ts';
import { columns, inline, shorten, visible } from './text.ts';

const MAX_ARGUMENTS_SHOWN = 60;
const MAX_LISTED = 1_000;

interface ListOptions {
  readonly json?: boolean;
  readonly limit?: number;
  readonly after?: string;
}

interface DecisionOptions {
  readonly digest?: string;
  readonly comment?: string;
  readonly edit?: string;
  readonly json?: boolean;
}

/** `approvals list`, `approve`, `deny`, `withdraw`: what waits for a person, and the person's answer. */
export function addApprovalCommands(program: Command, services: CliServices, end: (code: ExitCode) => void): void {
  const approvals = program.command('approvals').description('look at what waits for a person, ask about it, take it');
  approvals
    .command('list')
    .description('list the gates that wait')
    .option('--limit <N>', 'at most this many, oldest first', wholeNumber)
    .option('--after <approvalId>', 'only those after this one: the next page')
    .option('--json', 'print JSON')
    .action(async (options: ListOptions) => end(await list(services, options)));
  addAttentionCommands(approvals, services, end);
  program
    .command('approve')
    .description('approve exactly one action')
    .argument('[approvalId]', 'id of the gate')
    .option('--all-like <approvalId>', 'this gate and every other that waits for the same kind of action; shows them and asks')
    .option('--batch <file>', 'many gates: JSON lines {"approvalId","actionDigest"}; - reads them from stdin')
    .option('--digest <actionDigest>', 'digest of the action that is approved; at a terminal the action is shown instead')
    .option('--edit <json>', 'approve with other arguments: the whole new arguments object; others look again')
    .option('--comment <text>', 'why')
    .option('--json', 'print JSON')
    .action(async (approvalId: string | undefined, options: ApproveOptions) => end(await approveOneOrMany(services, approvalId, options)));
  program
    .command('deny')
    .description('deny an action; the reason goes to the model')
    .argument('<approvalId>', 'id of the gate')
    .requiredOption('--reason <text>', 'why')
    .option('--digest <actionDigest>', 'digest of the action that is denied; default: the one the gate asks for')
    .option('--json', 'print JSON')
    .action(async (approvalId: string, options: DecisionOptions & { readonly reason: string }) => end(await deny(services, approvalId, options)));
  program
    .command('withdraw')
    .description('take your own decision back, as long as it was not used')
    .argument('<approvalId>', 'id of the gate')
    .option('--digest <actionDigest>', 'digest of the action; default: the one the gate asks for')
    .option('--comment <text>', 'why')
    .option('--json', 'print JSON')
    .action(async (approvalId: string, options: DecisionOptions) => end(await withdraw(services, approvalId, options)));
}

/** @throws TollgateError `invalidInput` for anything that is no number of rows. */
function wholeNumber(text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= 1 && number <= MAX_LISTED) return number;
  throw new TollgateError('invalidInput', `--limit ${text}: a whole number from 1 to ${MAX_LISTED}.`);
}

async function list(services: CliServices, { json, limit = MAX_LISTED, after }: ListOptions): Promise<ExitCode> {
  const gates = await services.runs().pendingApprovals({ limit, ...(after === undefined ? {} : { after }) });
  const last = gates.at(-1);
  if (last && gates.length === limit) services.terminal.note(`There may be more: npx tollgate approvals list --limit ${limit} --after ${last.approvalId}`);
  if (json) services.terminal.print(JSON.stringify(gates));
  else for (const line of renderApprovals(gates)) services.terminal.print(line);
  return 0;
}

/** Waiting gates as a table, then the exact command for each. */
export function renderApprovals(gates: readonly GateReport[]): string[] {
  if (gates.length === 0) return ['Nothing waits for approval.'];
  const rows = gates.map((gate) => [
    shorten(gate.agentRunId, 40),
    gate.kind,
    gate.tool,
    inline(gate.arguments, MAX_ARGUMENTS_SHOWN),
    visible(gate.destination),
    gate.role,
    gate.expiresAt,
  ]);
  return [...columns([['RUN', 'KIND', 'TOOL', 'ARGUMENTS', 'DESTINATION', 'ROLE', 'EXPIRES'], ...rows]), '', ...gates.map((gate) => gate.approveCommand ?? '')];
}

type ApproveOptions = DecisionOptions & BatchOptions;

async function approveOneOrMany(services: CliServices, approvalId: string | undefined, options: ApproveOptions): Promise<ExitCode> {
  const named = [approvalId, options.allLike, options.batch].filter((given) => given !== undefined);
  if (named.length !== 1) throw new TollgateError('invalidInput', 'Say what is approved: one <approvalId>, --all-like <approvalId>, or --batch <file>.');
  return approvalId === undefined ? approveMany(services, options) : approve(services, approvalId, options);
}

async function approve(services: CliServices, approvalId: string, options: DecisionOptions): Promise<ExitCode> {
  const actionDigest = options.digest ?? (await askForDigest(services, approvalId));
  if (actionDigest === null) {
    services.terminal.note('Nothing was approved.');
    return 1;
  }
  if (options.edit !== undefined) return answer(services, await edit(services, approvalId, actionDigest, options.edit, options), options);
  return answer(services, await services.runs().approve(approvalId, { actionDigest, ...commentOf(options) }), options);
}

/** Changes the arguments and, where the policy lets who asks decide, approves what came of it. */
async function edit(services: CliServices, approvalId: string, actionDigest: string, json: string, options: DecisionOptions): Promise<DecisionResult> {
  const runs = services.runs();
  const result = await runs.edit(approvalId, { actionDigest, arguments: readArguments(json), ...commentOf(options) });
  if (result.type !== 'accepted' || !result.edited?.editorMayDecide) return result;
  const approved = await runs.approve(approvalId, { actionDigest: result.edited.actionDigest, ...commentOf(options) });
  return approved.type === 'accepted' ? { ...approved, edited: result.edited } : approved;
}

function readArguments(json: string): JsonObject {
  const problem = (what: string) =>
    new TollgateError('invalidInput', `--edit: expected the whole new arguments as a JSON object, such as '{"amount": 20}', ${what}`);
  let args: unknown;
  try {
    args = JSON.parse(json);
  } catch (error) {
    throw problem(`and it is not JSON (${(error as Error).message}).`);
  }
  if (typeof args !== 'object' || args === null || Array.isArray(args)) throw problem(`saw ${json.slice(0, 80)}.`);
  return args as JsonObject;
}

/** Shows the action and asks. Null where the person does not say yes. */
async function askForDigest(services: CliServices, approvalId: string): Promise<string | null> {
  const { terminal } = services;
  if (!terminal.isInteractive)
    throw new TollgateError(
      'invalidInput',
      'An approval must name what it approves: add --digest <actionDigest>. "npx tollgate approvals list" shows the action and its digest.',
    );
  const gate = await services.runs().approval(approvalId);
  for (const line of renderGate(gate, { columns: terminal.columns, style: terminal.style })) terminal.print(line);
  const said = await terminal.ask('Approve exactly this? Type "yes": ');
  return said.toLowerCase() === 'yes' ? gate.actionDigest : null;
}

async function deny(services: CliServices, approvalId: string, options: DecisionOptions & { readonly reason: string }): Promise<ExitCode> {
  return answer(services, await services.runs().deny(approvalId, { reason: options.reason, ...digestOf(options) }), options);
}

async function withdraw(services: CliServices, approvalId: string, options: DecisionOptions): Promise<ExitCode> {
  return answer(services, await services.runs().withdraw(approvalId, { ...commentOf(options), ...digestOf(options) }), options);
}

function answer({ terminal }: CliServices, result: DecisionResult, { json }: DecisionOptions): ExitCode {
  if (json) terminal.print(JSON.stringify(result));
  else if (result.type === 'accepted') terminal.print(`accepted: ${result.message}`);
  else if (result.type === 'refused') terminal.note(`refused (${result.reason}): ${result.message}`);
  else terminal.note(`undecided: ${result.message}`);
  return exitCodeOfDecision(result);
}

function commentOf({ comment }: DecisionOptions): { readonly comment?: string } {
  return comment === undefined ? {} : { comment };
}

function digestOf({ digest }: DecisionOptions): { readonly actionDigest?: string } {
  return digest === undefined ? {} : { actionDigest: digest };
}
