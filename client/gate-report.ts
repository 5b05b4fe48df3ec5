import type { JsonValue } from '../contracts/json.ts';
import { countApprovals, type GateRecord } from '../domain/approval/gate.ts';

/** A gate with everything an approver needs. */
export interface GateReport {
  readonly approvalId: string;
  readonly agentRunId: string;
  readonly kind: string;
  readonly tool: string;
  readonly toolVersion: string;
  readonly destination: string;
  readonly arguments: JsonValue;
  /** What tokens in the arguments stand for, where the person who looks may see it. */
  readonly values?: Readonly<Record<string, string>>;
  readonly actionDigest: string;
  readonly status: string;
  readonly role: string;
  /** How many different people must approve, and how many have. */
  readonly approvers: number;
  readonly approvals: number;
  /** How often the run has already carried out this very action. */
  readonly occurrence: number;
  readonly reason: string;
  readonly requester: string;
  readonly createdAt: string;
  readonly expiresAt: string;
  readonly decidedAt: string | null;
  readonly votes: readonly VoteReport[];
  /** Set while the gate waits: what approves exactly this action. */
  readonly approveCommand?: string;
}

export interface VoteReport {
  readonly approver: string;
  readonly roles: readonly string[];
  readonly verdict: string;
  readonly comment: string | null;
  readonly unverified: boolean;
  readonly at: string;
}

/** A stored gate as the doors show it. Times in ISO 8601. */
export function reportGate(gate: GateRecord): GateReport {
  return {
    approvalId: gate.approvalId,
    agentRunId: gate.runKey.agentRunId,
    kind: gate.kind,
    tool: gate.tool,
    toolVersion: gate.toolVersion,
    destination: gate.destination,
    arguments: gate.arguments,
    actionDigest: gate.actionDigest,
    status: gate.status,
    role: gate.policy.role,
    approvers: gate.policy.approvers,
    approvals: countApprovals(gate.votes),
    occurrence: gate.occurrence,
    reason: gate.reason,
    requester: gate.requester,
    createdAt: iso(gate.createdAtMs),
    expiresAt: iso(gate.expiresAtMs),
    decidedAt: gate.decidedAtMs === null ? null : iso(gate.decidedAtMs),
    votes: gate.votes.map(({ approver, roles, verdict, comment, unverified, atMs }) => ({ approver, roles, verdict, comment, unverified, at: iso(atMs) })),
    ...(gate.status === 'open' ? { approveCommand: approveCommand(gate.approvalId, gate.actionDigest) } : {}),
  };
}

/** The exact command that approves an action. */
export function approveCommand(approvalId: string, actionDigest: string): string {
  return `npx tollgate approve ${approvalId} --digest ${actionDigest}`;
}

function iso(atMs: number): string {
  return new Date(atMs).toISOString();
}
