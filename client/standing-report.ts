import { createHash } from 'node:crypto';
import type { Condition, Delegation, StandingTerms } from '../contracts/statement.ts';
import { amountOf } from '../domain/approval/amount.ts';
import type { RevocationRecord } from '../domain/approval/grant-store-port.ts';
import { describeTerms, type StandingState } from '../domain/approval/standing.ts';
import type { StopRecord } from '../domain/approval/stop.ts';

/** A stop switch. Null of a name: any. Times in ISO 8601. */
export interface StopReport {
  readonly stopId: string;
  readonly tool: string | null;
  readonly task: string | null;
  readonly tenant: string | null;
  readonly models: boolean;
  readonly reason: string;
  readonly by: string;
  readonly at: string;
  readonly resumed: { readonly by: string; readonly reason: string; readonly at: string } | null;
}

export function reportStop({ stopId, scope, models, reason, actor, thrownAtMs, resume }: StopRecord): StopReport {
  const resumed = resume && { by: resume.actor, reason: resume.reason, at: iso(resume.atMs) };
  return { stopId, ...scope, models, reason, by: actor, at: iso(thrownAtMs), resumed };
}

/** A standing approval with what is used of it. */
export interface StandingReport {
  readonly standingId: string;
  /** Names exactly these terms: what another person signs. */
  readonly termsDigest: string;
  readonly tool: string;
  readonly tenant: string;
  readonly task: string | null;
  readonly destination: string | null;
  readonly conditions: readonly Condition[];
  readonly free: readonly string[];
  readonly maxUses: number;
  readonly total: { readonly argument: string; readonly atMost: number } | null;
  readonly until: string;
  readonly createdAt: string;
  /** Who signed it, as the API or CLI that signed for them says. */
  readonly grantedBy: readonly string[];
  readonly uses: number;
  /** Of the total. */
  readonly used: number;
  /** `live`, `usedUp`, `over` or `revoked`. */
  readonly status: string;
  readonly revoked: RevokedReport | null;
  /** The terms in one line. */
  readonly summary: string;
}

export interface RevokedReport {
  readonly by: string;
  readonly reason: string;
  readonly at: string;
}

export function reportStanding(state: StandingState, revocation: RevocationRecord | null, grantedBy: readonly string[], nowMs: number): StandingReport {
  const { record, uses, totalMicro } = state;
  const { terms } = record;
  return {
    standingId: record.standingId,
    termsDigest: termsDigestOf(record.standingId, terms),
    tool: terms.tool,
    tenant: terms.tenant,
    task: terms.task ?? null,
    destination: terms.destination ?? null,
    conditions: terms.conditions,
    free: terms.free,
    maxUses: terms.maxUses,
    total: terms.total ?? null,
    until: iso(terms.untilMs),
    createdAt: iso(record.createdAtMs),
    grantedBy,
    uses,
    used: amountOf(totalMicro),
    status: state.isRevoked ? 'revoked' : nowMs >= terms.untilMs ? 'over' : uses >= terms.maxUses ? 'usedUp' : 'live',
    revoked: revocation && reportRevoked(revocation),
    summary: describeTerms(terms),
  };
}

export interface DelegationReport {
  readonly delegationId: string;
  readonly delegator: string;
  readonly to: string;
  readonly role: string;
  /** Null: at gates of every tenant. */
  readonly tenant: string | null;
  readonly from: string;
  readonly until: string;
  readonly comment: string | null;
  /** `live`, `later`, `over` or `revoked`. */
  readonly status: string;
  readonly revoked: RevokedReport | null;
}

export function reportDelegation(delegation: Delegation, revocation: RevocationRecord | null, nowMs: number): DelegationReport {
  const { delegationId, delegator, to, role, tenant, fromMs, untilMs, comment = null } = delegation;
  const status = revocation ? 'revoked' : nowMs >= untilMs ? 'over' : nowMs < fromMs ? 'later' : 'live';
  return {
    delegationId,
    delegator,
    to,
    role,
    tenant,
    from: iso(fromMs),
    until: iso(untilMs),
    comment,
    status,
    revoked: revocation && reportRevoked(revocation),
  };
}

function reportRevoked({ actor, reason, atMs }: RevocationRecord): RevokedReport {
  return { by: actor, reason, at: iso(atMs) };
}

/** SHA-256 over the terms with their fields in order. */
export function termsDigestOf(standingId: string, terms: StandingTerms): string {
  return createHash('sha256')
    .update(JSON.stringify(inOrder({ standingId, terms })), 'utf8')
    .digest('hex');
}

function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, inOrder(inner)]));
}

function iso(atMs: number): string {
  return new Date(atMs).toISOString();
}
