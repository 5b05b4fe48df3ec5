import type { GatePolicy, Quorum, RoleLimit } from '../contracts/gate-policy.ts';
import type { JsonValue } from '../contracts/json.ts';
import { claimAt } from '../domain/approval/claim.ts';
import { countApprovals, type GateAnswer, type GateQuestion, type GateRecord, type Vote } from '../domain/approval/gate.ts';

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
  /** The standing approval that approved it, in place of votes. */
  readonly standing?: { readonly standingId: string; readonly grantedBy: readonly string[] };
  /** Set where a stop switch holds the action back, approved or not. */
  readonly stopped?: readonly StoppedReport[];
  /** Other roles that must approve too. */
  readonly needs?: readonly { readonly role: string; readonly approvers: number }[];
  /** What holders of a role may approve and edit to. */
  readonly limits?: readonly RoleLimit[];
  /** Another role may decide from then on. */
  readonly escalatesTo?: { readonly role: string; readonly at: string; readonly escalated: boolean };
  readonly remindsAt?: string;
  /** What would be asked if the rules that are only tried out counted. */
  readonly tried?: { readonly role: string; readonly approvers: number; readonly needs?: readonly Quorum[]; readonly limits?: readonly RoleLimit[] };
  /** Changes of the arguments by people, oldest first. */
  readonly edits?: readonly EditReport[];
  /** Who is looking at it. */
  readonly claim?: { readonly by: string; readonly displayName?: string; readonly until: string };
  /** What approvers asked the agent, oldest first. */
  readonly questions?: readonly QuestionReport[];
  /** Set while the gate waits: what approves exactly this action. */
  readonly approveCommand?: string;
}

export interface QuestionReport {
  readonly questionId: string;
  readonly by: string;
  readonly displayName?: string;
  readonly text: string;
  readonly at: string;
  /** What the gate showed when it was asked. */
  readonly actionDigest: string;
  /** Unset while the agent is asked. It is words of a model, and decides nothing. */
  readonly answer?: AnswerReport;
}

export type AnswerReport =
  | { readonly type: 'answered'; readonly text: string; readonly model: string; readonly at: string }
  | { readonly type: 'notAnswered'; readonly why: string; readonly message: string; readonly at: string };

/** A switch that holds something back: who threw it, when and why. */
export interface StoppedReport {
  readonly stopId: string;
  readonly by: string;
  readonly reason: string;
  readonly at: string;
}

export interface VoteReport {
  readonly approver: string;
  /** Whom the vote stands for, where somebody who is away delegated it. */
  readonly onBehalfOf?: string;
  /** How people call the approver. */
  readonly displayName?: string;
  readonly roles: readonly string[];
  readonly verdict: string;
  readonly comment: string | null;
  readonly unverified: boolean;
  readonly at: string;
}

export interface EditReport {
  readonly editor: string;
  readonly at: string;
  readonly comment: string | null;
  readonly fromArguments: JsonValue;
  readonly fromDigest: string;
}

/** A stored gate as the doors show it. Times in ISO 8601. `nowMs` says whether somebody is still looking at it. */
export function reportGate(gate: GateRecord, nowMs = Date.now()): GateReport {
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
    votes: gate.votes.map(reportVote),
    ...(gate.standing ? { standing: gate.standing } : {}),
    ...reportTerms(gate),
    ...reportAttention(gate, nowMs),
    ...(gate.status === 'open' ? { approveCommand: approveCommand(gate.approvalId, gate.actionDigest) } : {}),
  };
}

function reportVote({ approver, displayName, onBehalfOf, roles, verdict, comment, unverified, atMs }: Vote): VoteReport {
  const names = { ...(displayName === undefined ? {} : { displayName }), ...(onBehalfOf === undefined ? {} : { onBehalfOf }) };
  return { approver, ...names, roles, verdict, comment, unverified, at: iso(atMs) };
}

/** What the policy asks beside a role and a number. */
function reportTerms({ policy: { needs, limits, escalateTo }, tried, terms, escalatedAtMs, remindsAtMs }: GateRecord): Partial<GateReport> {
  const escalatesAtMs = terms?.escalatesAtMs ?? null;
  return {
    ...(needs ? { needs } : {}),
    ...(limits ? { limits } : {}),
    ...(escalateTo && escalatesAtMs !== null ? { escalatesTo: { role: escalateTo.role, at: iso(escalatesAtMs), escalated: escalatedAtMs !== undefined } } : {}),
    ...(remindsAtMs === undefined ? {} : { remindsAt: iso(remindsAtMs) }),
    ...(tried ? { tried: reportTried(tried) } : {}),
  };
}

function reportTried({ role, approvers, needs, limits }: GatePolicy): NonNullable<GateReport['tried']> {
  return { role, approvers, ...(needs ? { needs } : {}), ...(limits ? { limits } : {}) };
}

/** What people did with it beside voting. */
function reportAttention(gate: GateRecord, nowMs: number): Partial<GateReport> {
  const { edits, questions } = gate;
  const claim = claimAt(gate, nowMs);
  return {
    ...(edits
      ? { edits: edits.map(({ editor, atMs, comment, fromArguments, fromDigest }) => ({ editor, at: iso(atMs), comment, fromArguments, fromDigest })) }
      : {}),
    ...(claim ? { claim: { by: claim.by, ...nameOf(claim), until: iso(claim.untilMs) } } : {}),
    ...(questions ? { questions: questions.map(reportQuestion) } : {}),
  };
}

function nameOf({ displayName }: { readonly displayName?: string }): { readonly displayName?: string } {
  return displayName === undefined ? {} : { displayName };
}

function reportQuestion(question: GateQuestion): QuestionReport {
  const { questionId, by, text, atMs, actionDigest, answer } = question;
  return { questionId, by, ...nameOf(question), text, at: iso(atMs), actionDigest, ...(answer ? { answer: reportAnswer(answer) } : {}) };
}

function reportAnswer(answer: GateAnswer): AnswerReport {
  const at = iso(answer.atMs);
  if (answer.type === 'answered') return { type: 'answered', text: answer.text, model: answer.model, at };
  return { type: 'notAnswered', why: answer.why, message: answer.message, at };
}

/** The exact command that approves an action. */
export function approveCommand(approvalId: string, actionDigest: string): string {
  return `npx tollgate approve ${approvalId} --digest ${actionDigest}`;
}

function iso(atMs: number): string {
  return new Date(atMs).toISOString();
}
