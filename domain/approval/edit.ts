import type { GatePolicy } from '../../contracts/approval.ts';
import type { ActionDigest } from '../../contracts/ids.ts';
import type { JsonObject } from '../../contracts/json.ts';
import { type DecisionTransition, mayRequesterDecide, refusalOf, refused, signedPart, standingAt, type VerifiedDecision } from './gate.ts';
import type { GateEdit, GateRecord } from './gate-record.ts';
import { momentsOf, timesOf } from './moments.ts';
import { standingOf } from './quorum.ts';

/** What a gate would ask for with other arguments, as the worker works it out from its own configuration. */
export interface EditedAction {
  readonly editor: string;
  readonly arguments: JsonObject;
  readonly policy: GatePolicy;
  readonly tried?: GatePolicy | null;
  readonly occurrence: number;
  readonly reason: string;
}

export interface ProposedEdit extends EditedAction {
  /** Over the gate as it would be; worked out for the gate whose digest the decision names. */
  readonly actionDigest: ActionDigest;
  /** The moment that the digest counts the gate's times from. */
  readonly proposedAtMs: number;
}

/** Why the new arguments can't be those of the action, for a person. */
export interface EditProblem {
  readonly problem: string;
}

const NO_TERMS = { revision: 0, escalatesAtMs: null, editors: [] };

/** The gate as it would be with other arguments: open, without votes, with new times, and a revision that makes every earlier signature void. */
export function withArguments(gate: GateRecord, { editor, ...edited }: EditedAction, atMs: number): GateRecord {
  const { remindedAtMs: _reminded, escalatedAtMs: _escalated, remindsAtMs: _reminds, tried: _tried, ...rest } = gate;
  const { revision, editors } = gate.terms ?? NO_TERMS;
  const { escalatesAtMs, ...times } = timesOf(edited.policy, atMs);
  return { ...rest, ...edited, ...times, votes: [], terms: { revision: revision + 1, escalatesAtMs, editors: [...editors, editor] } };
}

/**
 * Applies an edit whose signature has been verified, at the store's time. Votes for what the gate showed before count no more,
 * and who edited counts as who asked for it. The same edit twice gets the same answer. Pure.
 */
export function edit(gate: GateRecord, verified: VerifiedDecision, proposed: ProposedEdit | EditProblem, nowMs: number): DecisionTransition {
  if (isRepeated(gate, verified.signedDecision)) return acceptedEdit(null, gate, verified, 'You have changed it so already.');
  const refusal = refusalOf(gate, verified, nowMs);
  if (refusal) return refused(gate, refusal[0], refusal[1]);
  if (gate.status !== 'open') return refused(gate, 'closed', `The gate is ${gate.status}; nothing was changed.`);
  const unchangeable = whyNotEditable(gate);
  if (unchangeable !== null) return refused(gate, 'notEditable', unchangeable);
  if ('problem' in proposed) return refused(gate, 'invalidEdit', proposed.problem);
  const { actionDigest, proposedAtMs, ...edited } = proposed;
  const next = withArguments(gate, edited, proposedAtMs);
  if (standingOf(verified.decision.roles, standingAt({ ...next, terms: gate.terms ?? NO_TERMS }, nowMs)) !== 'may')
    return refused(
      gate,
      'overLimit',
      `The policy does not let ${verified.decision.approver} change the action to this: it is beyond what their roles may approve.`,
    );
  const entry = entryOf(gate, verified, nowMs);
  return acceptedEdit({ ...next, actionDigest, edits: [...(gate.edits ?? []), entry] }, gate, verified, 'The arguments are changed; the gate asks again.');
}

/** Null where its arguments may be changed by people. */
export function whyNotEditable(gate: GateRecord): string | null {
  if (gate.kind !== 'action') return 'Only the arguments of an action can be changed; approve or deny this one as it is.';
  return gate.terms ? null : 'The gate was opened by an older worker and can be approved or denied only as it is.';
}

function isRepeated(gate: GateRecord, signedDecision: string): boolean {
  return (gate.edits ?? []).some((entry) => signedPart(entry.signedDecision) === signedPart(signedDecision));
}

function entryOf(gate: GateRecord, { decision, signedDecision }: VerifiedDecision, nowMs: number): GateEdit {
  const { arguments: fromArguments, actionDigest: fromDigest } = gate;
  return { editor: decision.approver, atMs: nowMs, comment: decision.comment ?? null, fromArguments, fromDigest, signedDecision };
}

function acceptedEdit(next: GateRecord | null, before: GateRecord, { requesterMayDecideByDefault }: VerifiedDecision, message: string): DecisionTransition {
  const gate = next ?? before;
  const { actionDigest, expiresAtMs, status } = gate;
  const editorMayDecide = mayRequesterDecide(gate, requesterMayDecideByDefault);
  const moments = momentsOf(gate);
  return {
    gate: next,
    answer: {
      type: 'accepted',
      gateStatus: status,
      message: editorMayDecide ? message : `${message} Somebody else must approve it.`,
      edited: { actionDigest, expiresAtMs, editorMayDecide, ...(Object.keys(moments).length > 0 ? { moments } : {}) },
    },
  };
}
