import type { RaiseBudgetInput, RaiseBudgetOutcome, RecordDecisionInput } from '../../contracts/agent-run.ts';
import type { Decision, DecisionAnswer, DecisionRefusal, DecisionRequest } from '../../contracts/approval.ts';
import type { RunKey } from '../../contracts/ids.ts';
import type { JsonObject } from '../../contracts/json.ts';
import { decideForOthers } from '../../domain/approval/delegation.ts';
import { edit } from '../../domain/approval/edit.ts';
import { decidedAs, type GateRecord, permits, type VerifiedDecision } from '../../domain/approval/gate.ts';
import { nanoUsd } from '../../domain/budget/ledger.ts';
import { NOTHING_OPENED } from '../../domain/redaction/revealed-arguments.ts';
import { createScrubber } from '../../domain/redaction/scrub.ts';
import { loadRunFacts, loadSnapshot } from '../agent-run/snapshot.ts';
import { canonicalDigest } from '../digest.ts';
import type { ActivityPorts } from '../ports.ts';
import { runOfText } from '../redaction/run-of-text.ts';
import { askedPolicy, isOutgrown, rulingOf } from './asked-policy.ts';
import { delegationsOf, delegationsTo, NOBODY_STANDS } from './delegations.ts';
import { proposeEdit } from './edit-gate.ts';
import { actionDigestOf, provenVotes } from './gated-action.ts';

const UNSIGNED_VALID_FOR_MS = 3_600_000;

/** Verifies who decided, applies the decision to its gate, and audits it whatever comes of it. */
export async function recordDecision(ports: ActivityPorts, { runKey, request: sent }: RecordDecisionInput): Promise<DecisionAnswer> {
  const { store, verifier } = ports;
  // Also a decision about a run that the store does not know is answered.
  const run = await runOfText(store, runKey).catch(() => ({}));
  const shown = <T extends { readonly comment?: string | undefined }>(said: T): T =>
    said.comment === undefined ? said : { ...said, comment: createScrubber(ports.redaction).text(said.comment, run) };
  const request = shown(sent);
  const signed = request.signedDecision ?? signUnverified(ports, runKey, request, await store.nowMs());
  if (signed === null)
    return refuse(
      ports,
      runKey,
      request,
      'unsignedNotAllowed',
      'This configuration counts only signed decisions. Decide with "tollgate approve" or through the API, which sign for you.',
    );
  const decision = verifier.verify(signed);
  if (!decision)
    return refuse(
      ports,
      runKey,
      request,
      'badSignature',
      'The decision is not signed by a key that this worker knows. Do client and worker use the same TOLLGATE_HOME?',
    );
  if (decision.verdict !== request.verdict || decision.approvalId !== request.approvalId)
    return refuse(ports, runKey, request, 'badSignature', 'What was signed is not what was sent.');

  const stands = 'tenant' in run ? await delegationsTo(ports, decision.approver, run.tenant) : NOBODY_STANDS;
  const verified = { decision: shown(decision), signedDecision: signed, requesterMayDecideByDefault: ports.requesterMayDecideByDefault };
  const apply =
    decision.verdict === 'edit'
      ? await toEdit(ports, runKey, request, verified)
      : (gate: GateRecord, nowMs: number) => decideForOthers(gate, verified, stands.delegations, stands.tenant, nowMs);
  const answer = await store.decideGate(runKey, request.approvalId, apply, (given) => ({
    type: `decision.${given.type}`,
    runKey,
    actor: decision.approver,
    data: auditData(request, given, decision),
  }));
  return answer ?? refuse(ports, runKey, request, 'unknownGate', `The store has no gate ${request.approvalId} of this run.`);
}

/** What an edit does to the gate that it was worked out for; one that has changed since is told by its digest. */
async function toEdit(ports: ActivityPorts, runKey: RunKey, { approvalId, redaction }: DecisionRequest, verified: VerifiedDecision) {
  const { decision } = verified;
  const shown = await ports.store.getGate(runKey, approvalId);
  const proposed =
    shown?.actionDigest === decision.actionDigest && decision.arguments
      ? await proposeEdit(ports, runKey, shown, { editor: decision.approver, arguments: decision.arguments, redaction })
      : { problem: 'An edit names the whole new arguments, as a JSON object.' };
  return (gate: GateRecord, nowMs: number) => edit(gate, verified, proposed, nowMs);
}

/** A bare signal, where the configuration lets it count: the developer at this machine, whom nobody verified. */
function signUnverified({ unsignedSigner }: ActivityPorts, runKey: RunKey, request: DecisionRequest, nowMs: number): string | null {
  if (!unsignedSigner) return null;
  const { approvalId, actionDigest, verdict, comment } = request;
  return unsignedSigner.sign({
    version: 1,
    agentRunId: runKey.agentRunId,
    firstExecutionRunId: runKey.firstExecutionRunId,
    approvalId,
    actionDigest,
    verdict,
    approver: 'developer',
    roles: ['*'],
    ...(comment === undefined ? {} : { comment }),
    ...(request.arguments === undefined ? {} : { arguments: request.arguments }),
    nonce: canonicalDigest({ approvalId, verdict, nowMs }).slice(0, 32),
    expiresAtMs: nowMs + UNSIGNED_VALID_FOR_MS,
    unverified: true,
  });
}

async function refuse({ store }: ActivityPorts, runKey: RunKey, request: DecisionRequest, reason: DecisionRefusal, message: string): Promise<DecisionAnswer> {
  const answer: DecisionAnswer = { type: 'refused', reason, gateStatus: null, message };
  await store.appendAudit({ type: 'decision.refused', runKey, actor: 'unknown', data: auditData(request, answer, null) });
  return answer;
}

function auditData(request: DecisionRequest, answer: DecisionAnswer, decision: Decision | null): JsonObject {
  return {
    approvalId: request.approvalId,
    actionDigest: request.actionDigest,
    verdict: request.verdict,
    unverified: decision?.unverified ?? decision === null,
    gateStatus: answer.gateStatus,
    message: answer.message,
    ...(answer.type === 'refused' ? { reason: answer.reason } : {}),
    ...(request.comment === undefined ? {} : { comment: request.comment }),
    ...(answer.type === 'accepted' && answer.edited ? { newActionDigest: answer.edited.actionDigest } : {}),
  };
}

/** Raises the run's limits by what an approved budget gate names, once. */
export async function raiseBudget(ports: ActivityPorts, { runKey, approvalId }: RaiseBudgetInput): Promise<RaiseBudgetOutcome> {
  const { store } = ports;
  const gate = await store.getGate(runKey, approvalId);
  if (gate?.kind !== 'budget') return { type: 'notPermitted', message: `${approvalId} is no budget gate of this run.` };
  const { snapshotDigest, tenant } = await loadRunFacts(store, runKey);
  const asked = askedPolicy(ports, await loadSnapshot(store, snapshotDigest), 'budget', { tool: gate.tool, tenant, arguments: gate.arguments });
  if (isOutgrown(ports, gate, asked)) return { type: 'notPermitted', message: 'The policy became stricter since the gate was opened.' };
  const digest = actionDigestOf(gate, [], NOTHING_OPENED);
  const { amountNanoUsd, amountTokens = 0 } = gate.arguments as JsonObject;
  const amount = { nanoUsd: nanoUsd(Number(amountNanoUsd)), tokens: Number(amountTokens) };
  const stands = await delegationsOf(ports, gate, (await loadRunFacts(store, runKey)).tenant);
  const raised = await store.raiseLimit(runKey, approvalId, amount, (row, nowMs) =>
    permits(decidedAs(gate, row), provenVotes(ports, row, digest, stands), nowMs, rulingOf(ports)),
  );
  return raised.type === 'raised' ? raised : { type: 'notPermitted', message: raised.message };
}
