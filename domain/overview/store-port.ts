import type { AgentRunStatus } from '../../contracts/agent-run.ts';
import type { GateStatus } from '../../contracts/approval.ts';
import type { NanoUsd } from '../../contracts/budget.ts';
import type { GateRecord } from '../approval/gate.ts';

/** A gate with what an approver asks first of the run that opened it. */
export interface GateOfRun {
  readonly gate: GateRecord;
  readonly task: string;
  readonly tenant: string;
  readonly feature: string;
}

export interface WaitingGates {
  /** Those that expire first come first. */
  readonly gates: readonly GateOfRun[];
  /** How many wait in all. */
  readonly total: number;
}

/** What the attempts of one day, task and tenant came to. */
export interface SpendOfDay {
  /** Days since 1970, by UTC. */
  readonly day: number;
  readonly task: string;
  readonly tenant: string;
  readonly attempts: number;
  readonly settledNanoUsd: NanoUsd;
  /** Reserved, and of unknown outcome still. */
  readonly heldNanoUsd: NanoUsd;
}

export interface RunCount {
  readonly task: string;
  readonly tenant: string;
  readonly status: AgentRunStatus;
  readonly runs: number;
  /** The budgets of those that draw on no other run's, and what was settled, held or written off of them. */
  readonly limitNanoUsd: NanoUsd;
  readonly usedNanoUsd: NanoUsd;
}

/** When a gate was opened and when it was decided. */
export interface GateTimes {
  readonly task: string;
  readonly tenant: string;
  readonly tool: string;
  readonly status: GateStatus;
  readonly createdAtMs: number;
  readonly decidedAtMs: number | null;
}

export interface OverviewFilter {
  readonly sinceMs: number;
  readonly tenant?: string;
  /** At most this many rows. */
  readonly limit: number;
}

/** What people who look after many runs read. Nothing here changes anything. */
export interface OverviewStore {
  listWaitingGates(filter: { readonly tenant?: string; readonly limit: number }): Promise<WaitingGates>;
  /** By the day of the reservation, newest day first. */
  sumSpend(filter: OverviewFilter): Promise<readonly SpendOfDay[]>;
  /** Runs started since, by task, tenant and status. */
  countRuns(filter: OverviewFilter): Promise<readonly RunCount[]>;
  /** Gates of runs started since, the newest first. */
  listGateTimes(filter: OverviewFilter): Promise<readonly GateTimes[]>;
}
