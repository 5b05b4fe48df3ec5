import type { RedactionAction } from '../../contracts/redaction.ts';
import type { RunKey } from '../../contracts/ids.ts';
import type { AuditEntry } from '../store/port.ts';

/** A value that a token stands for in a run, sealed. Never changed, only added. */
export interface VaultEntry {
  /** `⟦email:1⟧` */
  readonly token: string;
  readonly type: string;
  /** Keyed hash of the value, in hex: equal values of a tenant have equal ones, and nobody can guess at them. */
  readonly valueHash: string;
  /** Opens under the run's key alone, bound to its token. */
  readonly sealed: string;
}

export interface VaultRecord extends VaultEntry {
  /** Grows with every entry of the run. */
  readonly sequence: number;
}

/** Where a text was redacted. */
export type RedactionPlace = 'input' | 'message' | 'toolResult' | 'reply' | 'toolArguments' | 'decision' | 'note';

/** How often something was found at a place and what was done; never a value. `sanitised.…` types are signs of an attack on the model. */
export interface RedactionCount {
  readonly place: RedactionPlace;
  readonly type: string;
  readonly action: RedactionAction | 'flag';
  readonly count: number;
}

/** What one exit of a run found, written down before the redacted text goes anywhere. */
export interface RedactionRecord {
  readonly entries: readonly VaultEntry[];
  readonly counts: readonly RedactionCount[];
  readonly audit?: AuditEntry;
}

/** The values behind tokens, and how often redaction did something. */
export interface VaultStore {
  /** Oldest first, those after `afterSequence`. */
  listVault(runKey: RunKey, afterSequence?: number): Promise<readonly VaultRecord[]>;
  /**
   * Adds entries, counts and audit entry together. `conflict`: one of the tokens or values is there already with another
   * value or token, because another call of the run was quicker; then nothing was written.
   */
  recordRedaction(runKey: RunKey, record: RedactionRecord): Promise<'recorded' | 'conflict'>;
  /** Sums over one run, or over the runs for a tenant. */
  countRedactions(filter: { readonly runKey: RunKey } | { readonly tenant: string }): Promise<readonly RedactionCount[]>;
}
