import type { NanoUsd } from '../../contracts/budget.ts';
import type { AttemptId, ContentDigest, RunKey } from '../../contracts/ids.ts';
import type { TokenUsage } from '../../contracts/model.ts';
import type { AttemptRecord } from '../store/port.ts';

/** Who moves money by hand or by a provider's record, for the audit. */
export interface MoneyMove {
  /** A person, or `tollgate` where a provider's record decided. */
  readonly actor: string;
  /** Why; a write-off needs it. */
  readonly reason?: string;
  /** The complete usage that a record names; kept with the attempt where it has none. */
  readonly usage?: TokenUsage;
}

/** What was last answered about an attempt whose money is held. */
export interface LookupNote {
  readonly lookedAtMs: number;
  readonly looks: number;
  /** When the scheduled reconciliation asks again. */
  readonly nextAtMs: number;
  readonly answer: string;
}

/** An attempt with what reconciliation needs of its run. */
export interface HeldAttempt {
  /** Grows with the order of reservation; names the place in a list. */
  readonly cursor: number;
  readonly attempt: AttemptRecord;
  readonly tenant: string;
  readonly task: string;
  readonly snapshotDigest: ContentDigest;
  readonly runEndedAtMs: number | null;
  readonly lookup: LookupNote | null;
}

export interface HeldFilter {
  readonly runKey?: RunKey;
  readonly tenant?: string;
  /** Only those reserved before this moment (store's clock). */
  readonly reservedBeforeMs?: number;
  /** Only those never asked about, or to be asked about by this moment. */
  readonly dueAtMs?: number;
  /** Only those after this place. */
  readonly afterCursor?: number;
  /** At most this many, in the order of their reservation. */
  readonly limit: number;
}

export interface AmountOfAttempts {
  readonly attempts: number;
  readonly nanoUsd: NanoUsd;
}

/** The money that is not simply settled, over all runs (of one tenant). */
export interface OpenMoney {
  readonly held: AmountOfAttempts & { readonly oldestReservedAtMs: number | null };
  readonly writtenOff: AmountOfAttempts;
  /** What providers charged beyond a reservation. */
  readonly overruns: AmountOfAttempts;
}

/** By how much the bound of a model at an endpoint is multiplied, in thousandths, and since when. */
export interface BoundFactor {
  readonly model: string;
  readonly endpoint: string;
  readonly perMille: number;
  readonly raises: number;
  readonly changedAtMs: number;
}

/** Attempts whose money is open, across runs, and what overruns have taught. */
export interface HeldStore {
  listHeld(filter: HeldFilter): Promise<readonly HeldAttempt[]>;
  /** By id alone, whatever its money is doing; null where there is none. */
  findAttempt(attemptId: AttemptId): Promise<HeldAttempt | null>;
  /** Keeps the last answer about an attempt, and when to ask again: `nextAtMs` of the number of looks so far, this one included. */
  noteLookup(runKey: RunKey, attemptId: AttemptId, answer: string, nextAtMs: (looks: number, nowMs: number) => number): Promise<void>;
  openMoney(filter?: { readonly tenant?: string }): Promise<OpenMoney>;
  /** 1000 where nothing was learnt. Raised in the transaction that books an overrun. */
  boundPerMille(model: string, endpoint: string): Promise<number>;
  /** Those above 1000, by model and endpoint. */
  listBoundFactors(limit: number): Promise<readonly BoundFactor[]>;
  /** Forgets what was learnt, with an entry in the audit. Answers whether there was anything. */
  resetBoundFactor(model: string, endpoint: string, by: MoneyMove): Promise<boolean>;
}
