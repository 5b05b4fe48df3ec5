import type { NanoUsd } from '../../contracts/budget.ts';
import type { LedgerTotals } from '../../contracts/budget.ts';
import type { AgentRunId, AttemptId, RunKey } from '../../contracts/ids.ts';
import type { Repair } from '../../contracts/repair.ts';
import type { AuditEntry } from '../store/port.ts';
import type { RepairVerdict, RunUnderRepair } from './repair.ts';

/** A repair that was made. */
export interface RepairRecord {
  readonly runKey: RunKey;
  /** The same id again for the same run changes nothing. */
  readonly repairId: string;
  readonly repair: Repair;
  readonly actor: string;
  /** Redacted by the worker that took it. */
  readonly reason: string;
  /** True where nobody verified who it was. */
  readonly isUnverified: boolean;
  readonly atMs: number;
}

/** What the store changes with a repair. */
export type RepairChange =
  | { readonly type: 'pause' | 'resume' | 'none' }
  | { readonly type: 'skip'; readonly replyAttemptId: AttemptId }
  | { readonly type: 'raise'; readonly nanoUsd: NanoUsd };

export type RepairResult =
  | { readonly type: 'made'; readonly repair: RepairRecord; readonly ledger: LedgerTotals }
  /** This very repair was made before. */
  | { readonly type: 'known'; readonly repair: RepairRecord; readonly ledger: LedgerTotals }
  | Exclude<RepairVerdict, { readonly type: 'permitted' }>;

/** What holds a run's work back now. */
export interface RunControl {
  /** The run that is paused: this one, or one that it belongs to. Null where none is. */
  readonly pausedBy: AgentRunId | null;
  /** The accepted reply whose calls were given up last. */
  readonly skippedReplyId: AttemptId | null;
}

export interface RepairStore {
  /**
   * Makes a repair: runs `rule` on the locked run, changes what it says, and writes the row with its audit entry. Once it has
   * answered that the run is paused, no irreversible action of the run, or of one below it, begins.
   */
  makeRepair(repair: Omit<RepairRecord, 'atMs'>, change: RepairChange, rule: (run: RunUnderRepair) => RepairVerdict, audit: AuditEntry): Promise<RepairResult>;
  /** Of one run, oldest first. */
  listRepairs(runKey: RunKey): Promise<readonly RepairRecord[]>;
  controlOf(runKey: RunKey): Promise<RunControl>;
}
