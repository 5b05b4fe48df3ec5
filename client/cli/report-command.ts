import { type Command, InvalidArgumentError, Option } from 'commander';
import { REPORT_DIMENSIONS, type ReportDimension } from '../../domain/report/store-port.ts';
import type { UsageLine, UsageView } from '../usage-report.ts';
import type { ExitCode } from './exit-code.ts';
import type { CliServices } from './services.ts';
import { columns, shorten } from './text.ts';

interface ReportOptions {
  readonly by: ReportDimension;
  readonly from?: string;
  readonly to?: string;
  readonly tenant?: string;
  readonly format?: 'table' | 'csv' | 'json';
  readonly json?: boolean;
}

/** `report`: what was used, from the store alone or by way of the API. */
export function addReportCommand(program: Command, services: CliServices, end: (code: ExitCode) => void): void {
  program
    .command('report')
    .description('spend, tokens, latency, success, fallbacks, gates and feedback over a time')
    .addOption(new Option('--by <what>', 'one line for each').choices(REPORT_DIMENSIONS).default('task'))
    .option('--from <when>', 'a day, a moment, or how long ago (7d, 12h); default: 30 days before --to')
    .option('--to <when>', 'default: now')
    .option('--tenant <name>', 'only this tenant')
    .addOption(new Option('--format <format>', 'how to print it').choices(['table', 'csv', 'json']))
    .option('--json', 'the same as --format json')
    .action(async ({ format, json, ...query }: ReportOptions) => {
      const usage = await services.runs().usage(query);
      for (const line of render(usage, json ? 'json' : (format ?? 'table'))) services.terminal.print(line);
      end(0);
    });
  program
    .command('feedback')
    .description('say what you think of a run, or of one of its steps')
    .argument('<id>', 'id of the run')
    .requiredOption('--score <number>', 'from -1 (bad) to 1 (good)', parseScore)
    .option('--label <word>', 'a word that feedback is grouped by')
    .option('--comment <text>', 'in your own words; kept with values masked')
    .option('--step <number>', 'the step it is about', Number)
    .option('--feedback-id <id>', 'the same id again changes nothing')
    .option('--json', 'print JSON')
    .action(async (id: string, { json, ...feedback }: FeedbackOptions) => {
      const given = await services.runs().feedback(id, feedback);
      if (json) services.terminal.print(JSON.stringify({ agentRunId: id, ...given }));
      else services.terminal.print(given.changed ? `Kept (${given.feedbackId}).` : `It was given before (${given.feedbackId}); nothing was changed.`);
      end(0);
    });
}

interface FeedbackOptions {
  readonly score: number;
  readonly label?: string;
  readonly comment?: string;
  readonly step?: number;
  readonly feedbackId?: string;
  readonly json?: boolean;
}

function parseScore(given: string): number {
  const score = given.trim() === '' ? Number.NaN : Number(given);
  if (Number.isFinite(score) && Math.abs(score) <= 1) return score;
  throw new InvalidArgumentError('A number from -1 (bad) to 1 (good) is needed.');
}

function render(usage: UsageView, format: 'table' | 'csv' | 'json'): string[] {
  switch (format) {
    case 'json':
      return [JSON.stringify(usage)];
    case 'csv':
      return [CSV.map(([name]) => name), ...usage.groups.map((line) => CSV.map(([, cell]) => cell(line)))].map((cells) => cells.map(csvCell).join(','));
    case 'table':
      return renderTable(usage);
  }
}

const HEADINGS = [
  'SETTLED',
  'HELD',
  'BUDGET',
  'ESTIMATED',
  'INPUT',
  'CACHED',
  'OUTPUT',
  'ATTEMPTS',
  'FALLBACKS',
  'P50',
  'P95',
  'RUNS',
  'SUCCESS',
  'GATES',
  'WAIT P50',
  'FEEDBACK',
];

function renderTable({ by, from, to, tenant, total, groups, isMore }: UsageView): string[] {
  const rows = [[by.toUpperCase(), ...HEADINGS], ...[...groups, { ...total, key: '(all)' }].map((line) => [shorten(line.key, 40), ...cellsOf(line)])];
  return [
    `${from} to ${to}${tenant === null ? '' : ` · tenant ${tenant}`} · USD and tokens`,
    ...columns(rows).map((line) => line.trimEnd()),
    ...(isMore ? ['There are more than these; narrow it with --from, --to or --tenant.'] : []),
  ];
}

function cellsOf({ settledUsd, heldUsd, estimateFactor, tokens, attempts, latency, runs, gates, feedback }: UsageLine): string[] {
  return [
    settledUsd,
    heldUsd,
    runs?.budgetUsd ?? '-',
    estimateFactor === null ? '-' : `${estimateFactor}x`,
    String(tokens.input),
    percent(tokens.input === 0 ? null : tokens.cachedInput / tokens.input),
    String(tokens.output),
    String(attempts.count),
    String(attempts.fallbacks),
    latency ? seconds(latency.p50Ms) : '-',
    latency ? seconds(latency.p95Ms) : '-',
    runs ? String(runs.count) : '-',
    percent((runs ?? attempts).successRate),
    gates ? String(gates.count) : '-',
    gates?.wait ? seconds(gates.wait.p50Ms) : '-',
    feedback?.meanScore == null ? '-' : `${feedback.meanScore.toFixed(2)} (${feedback.count})`,
  ];
}

function percent(share: number | null): string {
  return share === null ? '-' : `${(share * 100).toFixed(1)}%`;
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(ms < 10_000 ? 2 : 0)}s`;
}

type Cell = string | number | null | undefined;
/** Every number of a line, by a name that stays. */
const CSV: readonly (readonly [name: string, cell: (line: UsageLine) => Cell])[] = [
  ['key', ({ key }) => key],
  ['settledUsd', ({ settledUsd }) => settledUsd],
  ['heldUsd', ({ heldUsd }) => heldUsd],
  ['writtenOffUsd', ({ writtenOffUsd }) => writtenOffUsd],
  ['overrunUsd', ({ overrunUsd }) => overrunUsd],
  ['estimatedUsd', ({ estimatedUsd }) => estimatedUsd],
  ['estimateFactor', ({ estimateFactor }) => estimateFactor],
  ['budgetUsd', ({ runs }) => runs?.budgetUsd],
  ['inputTokens', ({ tokens }) => tokens.input],
  ['cachedInputTokens', ({ tokens }) => tokens.cachedInput],
  ['cacheWriteTokens', ({ tokens }) => tokens.cacheWrite],
  ['outputTokens', ({ tokens }) => tokens.output],
  ['reasoningTokens', ({ tokens }) => tokens.reasoning],
  ['attempts', ({ attempts }) => attempts.count],
  ['replies', ({ attempts }) => attempts.replies],
  ['fallbacks', ({ attempts }) => attempts.fallbacks],
  ['inFlight', ({ attempts }) => attempts.inFlight],
  ['latencyP50Ms', ({ latency }) => latency?.p50Ms],
  ['latencyP95Ms', ({ latency }) => latency?.p95Ms],
  ['latencyP99Ms', ({ latency }) => latency?.p99Ms],
  ['runs', ({ runs }) => runs?.count],
  ...(['completed', 'budgetExhausted', 'denied', 'expired', 'cancelled', 'failed'] as const).map(
    (status) => [status, ({ runs }: UsageLine) => runs?.ended[status]] as const,
  ),
  ['successRate', ({ runs }) => runs?.successRate],
  ['gates', ({ gates }) => gates?.count],
  ['gatesOpen', ({ gates }) => gates?.open],
  ['gatesApproved', ({ gates }) => gates?.approved],
  ['gatesDenied', ({ gates }) => gates?.denied],
  ['gatesExpired', ({ gates }) => gates?.expired],
  ['gateWaitP50Ms', ({ gates }) => gates?.wait?.p50Ms],
  ['gateWaitP95Ms', ({ gates }) => gates?.wait?.p95Ms],
  ['gateWaitP99Ms', ({ gates }) => gates?.wait?.p99Ms],
  ['feedback', ({ feedback }) => feedback?.count],
  ['feedbackMeanScore', ({ feedback }) => feedback?.meanScore],
  ['attemptSuccessRate', ({ attempts }) => attempts.successRate],
];

/** RFC 4180. A text that a spreadsheet would take for a formula gets an apostrophe before it. */
function csvCell(cell: Cell): string {
  if (cell === null || cell === undefined) return '';
  const text = typeof cell === 'string' && /^[=+\-@\t\r]/.test(cell) ? `'${cell}` : String(cell);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
