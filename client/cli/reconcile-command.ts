import { type Command, InvalidArgumentError } from 'commander';
import { formatUsd, parseUsd } from '../../domain/budget/price.ts';
import type { ReconcileResult } from '../money-door.ts';
import type { HeldReport, OpenMoneyReport } from '../money-report.ts';
import type { ExitCode } from './exit-code.ts';
import type { CliServices } from './services.ts';
import { columns } from './text.ts';

/** Runs of the workflow that one command starts, each with its bounded work. */
const MAX_ROUNDS = 20;
const DURATION = /^(\d{1,9})(ms|s|m|h|d)$/;
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const MAX_SHOWN = 50;

interface ReconcileOptions {
  readonly run?: string;
  readonly olderThan?: number;
  readonly list?: boolean;
  readonly json?: boolean;
}

type Totals = Omit<Extract<ReconcileResult, { type: 'reconciled' }>, 'type' | 'nextCursor'>;

/** `reconcile`: asks providers what became of attempts whose money is held; `write-off`: gives one up. */
export function addReconcileCommand(program: Command, services: CliServices, end: (code: ExitCode) => void): void {
  const { terminal } = services;
  const command = program
    .command('reconcile')
    .description("ask the providers what became of calls whose money is held, and settle what they have a record of; a worker's schedule does it too")
    .option('--run <id>', 'only the attempts of this run')
    .option('--older-than <duration>', 'only those reserved longer ago, e.g. 10m, 2h, 1d', parseDuration)
    .option('--list', 'ask nobody: only show what is held, and why')
    .option('--json', 'print JSON')
    .action(async (options: ReconcileOptions) => {
      const done = options.list ? null : await reconcileAll(services, options);
      const money = await services.runs().openMoney();
      const held = await services.runs().held({ ...filterOf(options), limit: MAX_SHOWN });
      if (options.json) terminal.print(JSON.stringify({ ...done, money, held }));
      else for (const line of render(done, money, held)) terminal.print(line);
      end(done && 'reconciliationId' in done ? 3 : 0);
    });
  command
    .command('write-off')
    .argument('<attemptId>', 'as "tollgate reconcile --list" shows it')
    .requiredOption('--reason <text>', 'why the money is given up; the audit keeps it')
    .option('--json', 'print JSON')
    .description('give up the held money of one attempt that nobody can account for; a charge that turns up later is still settled')
    .action(async (attemptId: string, { reason }: { readonly reason: string }, called: Command) => {
      const report = await services.runs().writeOff(attemptId, reason);
      const { json } = called.optsWithGlobals<{ readonly json?: boolean }>();
      if (json) terminal.print(JSON.stringify(report));
      else
        terminal.print(report.changed ? `${report.writtenOffUsd} USD of ${report.agentRunId} are written off.` : `It was written off before: ${report.reason}`);
      end(0);
    });
  command
    .command('reset-bound')
    .argument('<model>')
    .argument('<endpoint>', 'as "tollgate doctor" shows it')
    .requiredOption('--reason <text>', 'why; the audit keeps it')
    .description('forget by how much overruns have raised the bound of a model at an endpoint')
    .action(async (model: string, endpoint: string, { reason }: { readonly reason: string }) => {
      const wasRaised = await services.runs().resetBound(model, endpoint, reason);
      terminal.note(wasRaised ? `The bound of ${model} at ${endpoint} is as computed again.` : `The bound of ${model} at ${endpoint} was not raised.`);
      end(0);
    });
}

function filterOf({ run, olderThan }: ReconcileOptions) {
  return { ...(run === undefined ? {} : { agentRunId: run }), ...(olderThan === undefined ? {} : { olderThanMs: olderThan }) };
}

async function reconcileAll(services: CliServices, options: ReconcileOptions): Promise<Totals | { readonly reconciliationId: string }> {
  let totals: Totals = { looked: 0, settled: 0, settledUsd: '0.00', released: 0, kept: 0, inFlight: 0 };
  let cursor: number | undefined;
  for (let round = 1; round <= MAX_ROUNDS; round += 1) {
    const result = await services.runs().reconcile({ ...filterOf(options), ...(cursor === undefined ? {} : { cursor }) });
    if (result.type === 'running') {
      services.terminal.note(`It goes on as the workflow ${result.reconciliationId}. Does a worker run? "tollgate worker" starts one.`);
      return { reconciliationId: result.reconciliationId };
    }
    totals = {
      looked: totals.looked + result.looked,
      settled: totals.settled + result.settled,
      settledUsd: formatUsd((parseUsd(totals.settledUsd) ?? 0) + (parseUsd(result.settledUsd) ?? 0)),
      released: totals.released + result.released,
      kept: totals.kept + result.kept,
      inFlight: totals.inFlight + result.inFlight,
    };
    if (result.nextCursor === null) break;
    cursor = result.nextCursor;
  }
  return totals;
}

function render(
  done: Totals | { readonly reconciliationId: string } | null,
  { held, writtenOff, overruns }: OpenMoneyReport,
  shown: readonly HeldReport[],
): string[] {
  const looked =
    done && 'looked' in done
      ? [
          `Looked at ${done.looked}: ${done.settled} settled (${done.settledUsd} USD), ${done.released} released, ${done.kept} still held; ${done.inFlight} in flight.`,
        ]
      : [];
  const since = held.oldestReservedAt === null ? '' : `, the oldest since ${held.oldestReservedAt}`;
  return [
    ...looked,
    `Held: ${held.usd} USD of ${held.attempts} attempts${since}. Written off: ${writtenOff.usd} USD. Beyond the bound: ${overruns.usd} USD of ${overruns.attempts} attempts.`,
    ...columns(shown.map((each) => [each.attemptId, each.agentRunId, each.model, `${each.heldUsd} USD`, whyHeld(each)])),
    ...(shown.length < held.attempts ? [`${shown.length} of ${held.attempts} are shown.`] : []),
  ];
}

function whyHeld({ lookup, outcome }: HeldReport): string {
  return lookup?.answer ?? (outcome === null ? 'in flight, or its worker died' : `${outcome}; nobody has asked yet`);
}

function parseDuration(value: string): number {
  const [, amount, unit = ''] = DURATION.exec(value.trim()) ?? [];
  if (amount === undefined) throw new InvalidArgumentError('It is a number with a unit: ms, s, m, h or d, e.g. 10m.');
  return Number(amount) * (UNIT_MS[unit] ?? 0);
}
