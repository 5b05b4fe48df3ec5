import type { AgentRunId, RunKey } from '../../contracts/ids.ts';

/**
 * What of a run can be removed: what was said; what tools answered and gates asked for; values behind tokens; details of the
 * audit. Rows of the audit and the ledger stay: they prove what happened. The audit's rows can't be changed, so that its
 * details go with the run's key, and with it everything else that is sealed.
 */
export type DataClass = 'transcripts' | 'journals' | 'vault' | 'audit';
export const DATA_CLASSES: readonly DataClass[] = ['transcripts', 'journals', 'vault', 'audit'];

/** Which runs; all that is given must hold. */
export interface ErasureFilter {
  readonly tenant?: string;
  /** Every run of that Workflow Id. */
  readonly agentRunId?: AgentRunId;
  /** Runs about this person: keyed hash of the `subject` they were started with, or of a value in their vault. */
  readonly person?: { readonly subject: string; readonly valueHash: string };
  /** Only runs that ended before this moment. */
  readonly endedBeforeMs?: number;
  /** Only runs of which not all of this was removed. */
  readonly notRemoved: readonly DataClass[];
  /** Only those after this one, by `position`. */
  readonly after?: number;
  readonly limit: number;
}

export interface ErasableRun {
  /** Grows with every run. */
  readonly position: number;
  readonly runKey: RunKey;
  readonly tenant: string;
  readonly startedAtMs: number;
  readonly endedAtMs: number | null;
}

/** A response that the provider keeps. */
export interface StoredResponse {
  readonly endpoint: string;
  readonly responseId: string;
  /** Its cost is not known yet, and the provider's record of it is how it becomes known. */
  readonly isHeld: boolean;
}

/** Removes what was said. Each call is one transaction, and the same again changes nothing. */
export interface ErasureStore {
  /** Oldest first. */
  listErasable(filter: ErasureFilter): Promise<readonly ErasableRun[]>;
  listStoredResponses(runKey: RunKey): Promise<readonly StoredResponse[]>;
  /**
   * Removes these classes of one run, and remembers it. Rows stay where others refer to them, with `[erased]` in place of
   * what was said. With `keepResponseIds` those of stored responses stay, and the
   * transcript does not count as removed.
   */
  eraseRun(runKey: RunKey, classes: readonly DataClass[], options?: { readonly keepResponseIds?: boolean }): Promise<void>;
}
