import type { RunKey } from '../../contracts/ids.ts';
import type { JsonObject } from '../../contracts/json.ts';
import type { AuditRecord } from '../store/port.ts';
import type { ChainLink } from './chain.ts';

/** The heads that one anchor commits to. */
export const MAX_ANCHORED_HEADS = 500;

export interface AuditChain {
  /** Grows with every chain. */
  readonly position: number;
  readonly chain: string;
}

export type ChainedAuditRecord = AuditRecord & { readonly link: ChainLink };

/** What an anchor commits to: the newest row of every chain that has grown since the one before. */
export interface AnchorContent {
  /** Digest of the chain's name, sequence and hash of its newest row. */
  readonly heads: readonly (readonly [chain: string, sequence: number, hash: string])[];
  /** Rows in no chain (of an older version) that this anchor takes in: how many, up to which, and a hash over them. */
  readonly unchained?: { readonly count: number; readonly through: number; readonly hash: string };
}

/** Signs a text for an anchor. */
export interface AnchorSigner {
  sign(text: string): { readonly publicKey: string; readonly signature: string };
}

export interface AuditChainStore {
  /** Chains of one run or of one tenant, else all; oldest first. */
  listChains(filter: { readonly runKey?: RunKey; readonly tenant?: string; readonly after?: number; readonly limit: number }): Promise<readonly AuditChain[]>;
  /** Rows of one chain in their order, of a period (`toMs` is outside of it). */
  listChain(filter: {
    readonly chain: string;
    readonly after?: number;
    readonly fromMs?: number;
    readonly toMs?: number;
    readonly limit: number;
  }): Promise<readonly ChainedAuditRecord[]>;
  /** Rows that no chain has: those of before chains, and of older workers beside this one. By `sequence`. */
  listUnchained(filter: { readonly after?: number; readonly limit: number }): Promise<readonly AuditRecord[]>;
  /**
   * Writes one anchor over at most `MAX_ANCHORED_HEADS` chains that have grown, and answers its hash and whether more have;
   * null where there is nothing to anchor. Two at once write one after the other.
   */
  anchorAudit(seal: (content: AnchorContent) => JsonObject): Promise<{ readonly hash: string; readonly heads: number; readonly isMore: boolean } | null>;
}
