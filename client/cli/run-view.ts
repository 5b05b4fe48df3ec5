import { formatUsd, parseUsd } from '../../domain/budget/price.ts';
import type { GateReport, QuestionReport } from '../gate-report.ts';
import type { RunReport } from '../run-report.ts';
import type { StepReport, ToolCallReport } from '../step-report.ts';
import type { Terminal } from './terminal.ts';
import { bar, inline, shorten, visible } from './text.ts';

type Style = Terminal['style'];
const BAR_WIDTH = 24;

export interface ViewOptions {
  readonly columns: number;
  readonly style: Style;
  /** At most this many steps, the last ones. */
  readonly maxSteps: number;
}

/** A run as a person reads it: where it stands, what it cost, what it did, what it waits for, what it said. */
export function renderRun(report: RunReport, options: ViewOptions): string[] {
  const { style } = options;
  const gates = report.gates.filter((gate) => gate.status === 'open' || gate.stopped);
  return [
    `${style('bold', report.agentRunId)} · ${report.task} · ${styledStatus(report.status, style)}`,
    style('dim', `tenant ${report.tenant} · feature ${report.feature} · started ${report.startedAt}${report.simulated ? ' · SIMULATED provider' : ''}`),
    ...(report.parent === undefined ? [] : [style('dim', `child of ${report.parent}, whose budget it draws on`)]),
    ...(report.stopped ?? []).map((stop) => style('red', `Model calls stopped by ${stop.by} since ${stop.at}: ${stop.reason}`)),
    budgetLine(report),
    ...tokenLine(report),
    ...renderChildren(report, style),
    ...renderSteps(report, options),
    ...gates.flatMap((gate) => ['', ...renderGate(gate, options)]),
    ...renderFeedback(report, style),
    ...renderRepairs(report, style),
    ...(report.message ? ['', `ended   ${visible(report.message)}${report.failureType ? ` (${report.failureType})` : ''}`] : []),
    ...(report.output === null ? [] : ['', style('bold', 'answer'), visible(report.output)]),
  ];
}

/** What was spent of the budget, as a bar and in numbers. */
export function budgetLine({ ledger }: Pick<RunReport, 'ledger'>): string {
  const drawn = bar(Number(ledger.settledUsd), Number(ledger.heldUsd), Number(ledger.limitUsd), BAR_WIDTH);
  const held = Number(ledger.heldUsd) > 0 ? ` · ${ledger.heldUsd} held` : '';
  const writtenOff = Number(ledger.writtenOffUsd) > 0 ? ` · ${ledger.writtenOffUsd} written off` : '';
  const overrun = Number(ledger.overrunUsd) > 0 ? ` · OVERRUN ${ledger.overrunUsd}` : '';
  return `budget  ${drawn} ${ledger.settledUsd} of ${ledger.limitUsd} USD settled${held}${writtenOff}${overrun}`;
}

function tokenLine({ tokens }: Pick<RunReport, 'tokens'>): string[] {
  if (!tokens) return [];
  return [
    `tokens  ${bar(tokens.used, tokens.held, tokens.limit, BAR_WIDTH)} ${tokens.used} of ${tokens.limit} used${tokens.held > 0 ? ` · ${tokens.held} held` : ''}`,
  ];
}

function renderFeedback({ feedback = [] }: RunReport, style: Style): string[] {
  return feedback.map(({ score, step, label, comment, actor }) => {
    const about = `${step === null ? '' : ` · step ${step}`}${label === null ? '' : ` · ${label}`}`;
    return `thought ${score > 0 ? '+' : ''}${score}${about} · ${actor}${comment === null ? '' : style('dim', `  ${inline(comment, 200)}`)}`;
  });
}

function renderRepairs({ repairs = [] }: RunReport, style: Style): string[] {
  return repairs.map(({ type, step, model, amountUsd, actor, reason, unverified, at }) => {
    const what = [type, step, model, amountUsd === undefined ? undefined : `${amountUsd} USD`].filter((part) => part !== undefined).join(' ');
    return `repair  ${what} · ${visible(actor)}${unverified ? ' (unverified)' : ''} · ${at}${style('dim', `  ${inline(reason, 200)}`)}`;
  });
}

function renderChildren({ children = [] }: RunReport, style: Style): string[] {
  return children.map(({ agentRunId, task, status, ledger }) => {
    const held = Number(ledger.heldUsd) > 0 ? ` · ${ledger.heldUsd} held` : '';
    return `child   ${agentRunId} · ${task} · ${styledStatus(status, style)}  ${style('dim', `${ledger.settledUsd} of ${ledger.limitUsd} USD${held}`)}`;
  });
}

function renderSteps(report: RunReport, options: ViewOptions): string[] {
  const hidden = report.steps.length - options.maxSteps;
  const shown = report.steps.slice(-options.maxSteps);
  return [...(hidden > 0 ? [options.style('dim', `… ${hidden} earlier steps`)] : []), ...shown.flatMap((step) => renderStep(step, report, options))];
}

function renderStep(step: StepReport, report: RunReport, { columns, style }: ViewOptions): string[] {
  const attempts = report.attempts.filter((attempt) => attempt.step === step.step);
  const held = sumUsd(attempts.map((attempt) => attempt.heldUsd));
  const cost = `${formatUsd(sumUsd(attempts.map((attempt) => attempt.costUsd ?? '0')))} USD${held > 0 ? ` · ${formatUsd(held)} held` : ''}`;
  const line = `step ${String(step.step).padEnd(3)}${describeAttempts(step)}  ${style('dim', cost)}`;
  const skips = (report.skipped ?? [])
    .filter((skip) => skip.step === step.step)
    .map((skip) => `        ${style('yellow', skip.reason)} ${style('dim', shorten(skip.message, Math.max(40, columns - skip.reason.length - 10)))}`);
  const calls = step.toolCalls.map((call) => {
    const arguments_ = inline(call.arguments, Math.max(20, columns - call.tool.length - call.status.length - 14));
    return `        ${style('cyan', call.tool)} ${style('dim', arguments_)} ${styledStatus(describeCall(call), style)}`;
  });
  return [line, ...skips, ...calls];
}

function sumUsd(amounts: readonly string[]): number {
  return amounts.reduce((sum, amount) => sum + (parseUsd(amount) ?? 0), 0);
}

/** `gpt-5-mini rateLimited → gpt-5-nano ok` */
export function describeAttempts(step: StepReport): string {
  return step.attempts.map(({ model, outcome }) => `${model} ${outcome === 'inFlight' ? '…' : outcome}`).join(' → ');
}

function describeCall(call: ToolCallReport): string {
  return call.status === 'done' && call.isError ? 'error' : call.status;
}

/** A waiting gate with everything that an approver decides by, and the exact command. */
export function renderGate(gate: GateReport, { columns, style }: Pick<ViewOptions, 'columns' | 'style'>): string[] {
  const again =
    gate.occurrence > 0
      ? [style('yellow', `        The run has done exactly this ${gate.occurrence === 1 ? 'once' : `${gate.occurrence} times`} before.`)]
      : [];
  return [
    `${style('yellow', 'waits')}   ${style('bold', gate.tool)} → ${visible(gate.destination)}`,
    ...Object.entries(asObject(gate.arguments)).map(
      ([name, value]) => `        ${shorten(name, 100)}: ${inline(value, Math.max(20, columns - name.length - 12))}`,
    ),
    ...Object.entries(gate.values ?? {}).map(([token, value]) => `        ${token} is ${inline(value, Math.max(20, columns - token.length - 12))}`),
    ...again,
    `        ${shorten(gate.reason, 400)}`,
    ...(gate.questions ?? []).flatMap(renderQuestion),
    ...(gate.claim ? [style('dim', `        ${visible(gate.claim.displayName ?? gate.claim.by)} is looking at it until ${gate.claim.until}`)] : []),
    ...(gate.stopped ?? []).map((stop) => style('red', `        Stopped by ${stop.by} since ${stop.at}: ${stop.reason}`)),
    style(
      'dim',
      `        ${gate.approvals} of ${gate.approvers} approvals · role ${gate.role} · asked by ${visible(gate.requester)} · expires ${gate.expiresAt}`,
    ),
    ...(gate.approveCommand ? [`        ${gate.approveCommand}`] : []),
  ];
}

function renderQuestion({ by, displayName, text, answer }: QuestionReport): string[] {
  const said =
    answer?.type === 'answered' ? `The agent: ${shorten(answer.text, 400)}` : answer ? `No answer: ${shorten(answer.message, 400)}` : 'No answer yet.';
  return [`        ${visible(displayName ?? by)} asked: ${shorten(text, 400)}`, `        ${said}`];
}

function asObject(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : { arguments: value };
}

function styledStatus(status: string, style: Style): string {
  switch (status) {
    case 'completed':
    case 'done':
      return style('green', status);
    case 'failed':
    case 'error':
    case 'denied':
    case 'expired':
    case 'cancelled':
    case 'budgetExhausted':
    case 'inDoubt':
      return style('red', status);
    default:
      return style('yellow', status);
  }
}
