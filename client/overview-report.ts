import { formatUsd } from '../domain/budget/price.ts';
import type { GateTimes, RunCount, SpendOfDay } from '../domain/overview/store-port.ts';
import type { Store } from '../domain/store/port.ts';

const DAY_MS = 86_400_000;
const MAX_ROWS = 1_000;

export interface SpendReport {
  readonly settledUsd: string;
  readonly heldUsd: string;
  readonly attempts: number;
}

export interface WaitReport {
  /** Gates opened, decided by a person, and ended without one. */
  readonly gates: number;
  readonly decided: number;
  readonly expired: number;
  /** Milliseconds from opening to decision; null where none was decided. */
  readonly medianMs: number | null;
  readonly p95Ms: number | null;
}

/** Budgets of runs that draw on no other run's. */
export interface BudgetReport {
  readonly limitUsd: string;
  /** Settled, held or written off. */
  readonly usedUsd: string;
}

type PartReport = SpendReport & WaitReport & { readonly budgets: BudgetReport; readonly runs: Readonly<Record<string, number>> };

export interface OverviewReport {
  readonly since: string;
  readonly now: string;
  /** One for each day, oldest first, also those without use. */
  readonly days: readonly (SpendReport & { readonly day: string })[];
  readonly byTask: readonly (PartReport & { readonly task: string })[];
  readonly byTenant: readonly (PartReport & { readonly tenant: string })[];
  /** Of the runs started in this time. */
  readonly budgets: BudgetReport;
  readonly waiting: WaitReport & { readonly open: number };
  /** False where there was more than is summed here. */
  readonly isComplete: boolean;
}

/** What was spent and how long gates waited in the last days, today included, by UTC. */
export async function reportOverview(store: Store, { days, tenant }: { readonly days: number; readonly tenant?: string }): Promise<OverviewReport> {
  const nowMs = await store.nowMs();
  const today = Math.floor(nowMs / DAY_MS);
  const first = today - days + 1;
  const filter = { sinceMs: first * DAY_MS, limit: MAX_ROWS, ...(tenant === undefined ? {} : { tenant }) };
  const [spend, runs, gates, { total }] = await Promise.all([
    store.sumSpend(filter),
    store.countRuns(filter),
    store.listGateTimes(filter),
    store.listWaitingGates({ limit: 1, ...(tenant === undefined ? {} : { tenant }) }),
  ]);
  const by = (key: 'task' | 'tenant') => {
    const names = [...new Set([...spend, ...runs, ...gates].map((row) => row[key]))];
    return names
      .map((name) => ({
        name,
        nanoUsd: sum(spend.filter((row) => row[key] === name)).settled,
        ...reportSpend(spend.filter((row) => row[key] === name)),
        ...reportWaits(gates.filter((row) => row[key] === name)),
        budgets: reportBudgets(runs.filter((row) => row[key] === name)),
        runs: Object.fromEntries([...countByStatus(runs.filter((row) => row[key] === name))]),
      }))
      .sort((a, b) => b.nanoUsd - a.nanoUsd || a.name.localeCompare(b.name))
      .map(({ name, nanoUsd: _, ...rest }) => ({ name, ...rest }));
  };
  return {
    since: new Date(filter.sinceMs).toISOString(),
    now: new Date(nowMs).toISOString(),
    days: Array.from({ length: days }, (_, index) => ({
      day: new Date((first + index) * DAY_MS).toISOString().slice(0, 10),
      ...reportSpend(spend.filter(({ day }) => day === first + index)),
    })),
    byTask: by('task').map(({ name, ...rest }) => ({ task: name, ...rest })),
    byTenant: by('tenant').map(({ name, ...rest }) => ({ tenant: name, ...rest })),
    budgets: reportBudgets(runs),
    waiting: { ...reportWaits(gates), open: total },
    isComplete: [spend, runs, gates].every(({ length }) => length < MAX_ROWS),
  };
}

function countByStatus(rows: readonly { readonly status: string; readonly runs: number }[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { status, runs } of rows) counts.set(status, (counts.get(status) ?? 0) + runs);
  return counts;
}

function reportBudgets(rows: readonly RunCount[]): BudgetReport {
  const total = (amount: (row: RunCount) => number) => formatUsd(rows.reduce((sum, row) => sum + amount(row), 0));
  return { limitUsd: total(({ limitNanoUsd }) => limitNanoUsd), usedUsd: total(({ usedNanoUsd }) => usedNanoUsd) };
}

function sum(rows: readonly SpendOfDay[]): { readonly settled: number; readonly held: number; readonly attempts: number } {
  return rows.reduce(
    (total, row) => ({ settled: total.settled + row.settledNanoUsd, held: total.held + row.heldNanoUsd, attempts: total.attempts + row.attempts }),
    { settled: 0, held: 0, attempts: 0 },
  );
}

function reportSpend(rows: readonly SpendOfDay[]): SpendReport {
  const { settled, held, attempts } = sum(rows);
  return { settledUsd: formatUsd(settled), heldUsd: formatUsd(held), attempts };
}

const BY_A_PERSON = ['approved', 'consumed', 'denied'];

function reportWaits(gates: readonly GateTimes[]): WaitReport {
  const decided = gates.filter(({ status }) => BY_A_PERSON.includes(status));
  const waits = decided.flatMap(({ createdAtMs, decidedAtMs }) => (decidedAtMs === null ? [] : [decidedAtMs - createdAtMs])).sort((a, b) => a - b);
  return {
    gates: gates.length,
    decided: decided.length,
    expired: gates.filter(({ status }) => status === 'expired').length,
    medianMs: quantile(waits, 0.5),
    p95Ms: quantile(waits, 0.95),
  };
}

/** The smallest wait that the share `p` of them does not exceed. */
function quantile(sorted: readonly number[], p: number): number | null {
  return sorted[Math.max(0, Math.ceil(sorted.length * p) - 1)] ?? null;
}
