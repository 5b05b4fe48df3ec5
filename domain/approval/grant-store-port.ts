import type { ApprovalId, RunKey } from '../../contracts/ids.ts';
import type { Delegation, SignedStatement } from '../../contracts/statement.ts';
import type { StandingRecord, StandingState } from './standing.ts';

/** What was taken back. It stays for good: a store that lost it would honour the grant again. */
export interface RevocationRecord {
  readonly of: string;
  readonly signed: SignedStatement;
  readonly actor: string;
  readonly reason: string;
  readonly atMs: number;
}

export interface DelegationRecord {
  readonly delegation: Delegation;
  readonly signed: SignedStatement;
}

export interface StandingFilter {
  /** Only of this tenant. */
  readonly tenant?: string;
  readonly tool?: string;
  /** Only those that are neither over nor revoked. */
  readonly live?: boolean;
  readonly limit: number;
}

/** One action that a standing approval was used for. */
export interface StandingUseRecord {
  readonly runKey: RunKey;
  readonly approvalId: ApprovalId;
  readonly amountMicro: number;
  readonly atMs: number;
}

export interface GrantStore {
  /** Creates a standing approval with its first signature, audited as `standing.granted`. False where its id is taken. */
  createStanding(record: StandingRecord, actor: string): Promise<boolean>;
  /** Adds a signature, audited. Null where there is no such standing approval; the same again changes nothing. */
  addStandingGrant(standingId: string, signed: SignedStatement, actor: string): Promise<StandingRecord | null>;
  getStanding(standingId: string): Promise<StandingState | null>;
  /** Newest first. */
  listStandings(filter: StandingFilter): Promise<readonly StandingState[]>;
  /** Oldest first. */
  listStandingUses(standingId: string, limit: number): Promise<readonly StandingUseRecord[]>;
  /** False where its id is taken. Audited. */
  createDelegation(record: DelegationRecord): Promise<boolean>;
  getDelegation(delegationId: string): Promise<DelegationRecord | null>;
  /** Newest first; `to`: only those to that person. */
  listDelegations(filter: {
    readonly tenant?: string;
    readonly to?: string;
    readonly live?: boolean;
    readonly limit: number;
  }): Promise<readonly DelegationRecord[]>;
  /** Takes a standing approval or a delegation back, audited. The first one stays. Once it has answered, nothing more is begun by it. */
  revoke(revocation: RevocationRecord): Promise<void>;
  /** Those of `ids` that were taken back. */
  listRevoked(ids: readonly string[]): Promise<readonly RevocationRecord[]>;
}
