import type { RaiseBudgetInput, RaiseBudgetOutcome, RecordDecisionInput, RecordDecisionOutcome, Tried } from '../../contracts/agent-run.ts';
import type { Decision, DecisionAnswer, DecisionRefusal, DecisionRequest } from '../../contracts/approval.ts';
import type { RunKey } from '../../contracts/ids.ts';
import type { JsonObject } from '../../contracts/json.ts';
import { decideForOthers } from '../../domain/approval/delegation.ts';
import { edit } from '../../domain/approval/edit.ts';
import { decidedAs, type GateRecord, permits, refused, signedPart, type VerifiedDecision } from '../../domain/approval/gate.ts';
import { triesLeft } from '../../domain/approval/tries.ts';
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
/** Enough to tell the decisions of one person at one gate apart. */
const DIGITS_OF_TRY = 12;

/**
 * Verifies who decided, applies the decision to its gate, and audits it whatever comes of it; but no more often than the one
 * whose it is may try, so that nobody fills the record.
 */
export async function recordDecision(ports: ActivityPorts, input: RecordDecisionInput): Promise<RecordDecisionOutcome> {
  const { runKey, request: sent } = input;
  const { store, verifier } = ports;
  // Also a decision about a run that the store does not know is answered.
  const run = await runOfText(store, runKey).catch(() => ({}));
  const shown = <T extends { readonly comment?: string | undefined }>(said: T): T =>
    said.comment === undefined ? said : { ...said, comment: createScrubber(ports.redaction).text(said.comment, run) };
  const request = shown(sent);
  const signed = request.signedDecision ?? signUnverified(ports, runKey, request, await store.nowMs());
  const decision = signed === null ? null : verifier.verify(signed);
  const objection = objectionToProof(request, signed, decision);
  if (objection || signed === null || !decision) return await refuseUnproven(ports, { ...input, request }, objection ?? NOT_SIGNED);

  const tried = triedBy(runKey, decision, signed);
  const left = isLeft(input, tried);
  if (left === 'tooMany') return await refuseTooMany(ports, { ...input, request }, tried);
  const stands = 'tenant' in run ? await delegationsTo(ports, decision.approver, run.tenant) : NOBODY_STANDS;
  const verified = { decision: shown(decision), signedDecision: signed, requesterMayDecideByDefault: ports.requesterMayDecideByDefault };
  const rule =
    decision.verdict === 'edit'
      ? await toEdit(ports, runKey, request, verified)
      : (gate: GateRecord, nowMs: number) => decideForOthers(gate, verified, stands.delegations, stands.tenant, nowMs);
  let isChanged = false;
  const apply = (gate: GateRecord, nowMs: number) => {
    const transition = rule(gate, nowMs);
    isChanged = transition.gate !== null;
    return transition;
  };
  const entry = (given: DecisionAnswer) => ({ type: `decision.${given.type}`, runKey, actor: decision.approver, data: auditData(request, given, decision) });
  const answer = await store.decideGate(runKey, request.approvalId, apply, (given) => (left === 'again' && !isChanged ? null : entry(given)));
  if (answer) return { ...answer, tried };
  return await refuseUnproven(ports, { ...input, request }, ['unknownGate', `The store has no gate ${request.approvalId} of this run.`]);
}

type Objection = readonly [DecisionRefusal, string];

const NOT_SIGNED: Objection = [
  'unsignedNotAllowed',
  'This configuration counts only signed decisions. Decide with "tollgate approve" or through the API, which sign for you.',
];

/** Why nobody is shown to have decided this; null where somebody is. */
function objectionToProof(request: DecisionRequest, signed: string | null, decision: Decision | null): Objection | null {
  if (signed === null) return NOT_SIGNED;
  if (!decision) return ['badSignature', 'The decision is not signed by a key that this worker knows. Do client and worker use the same TOLLGATE_HOME?'];
  if (decision.verdict === request.verdict && decision.approvalId === request.approvalId) return null;
  return ['badSignature', 'What was signed is not what was sent.'];
}

/** Whose try it is: what somebody signed for another run says nothing of what they want here. */
function triedBy({ agentRunId, firstExecutionRunId }: RunKey, decision: Decision, signed: string): Tried | null {
  if (decision.agentRunId !== agentRunId || decision.firstExecutionRunId !== firstExecutionRunId) return null;
  return { person: decision.approver, decision: canonicalDigest({ signed: signedPart(signed) }).slice(0, DIGITS_OF_TRY) };
}

function isLeft({ tries }: RecordDecisionInput, tried: Tried | null) {
  return tries ? triesLeft(tries, tried, tries.max) : 'new';
}

/** The answer is the same however often; the record has it as often as there are tries. */
async function refuseUnproven(ports: ActivityPorts, input: RecordDecisionInput, [reason, message]: Objection): Promise<RecordDecisionOutcome> {
  const answer: DecisionAnswer = { type: 'refused', reason, gateStatus: null, message };
  if (isLeft(input, null) !== 'tooMany') {
    const { runKey, request } = input;
    await ports.store.appendAudit({ type: 'decision.refused', runKey, actor: 'unknown', data: auditData(request, answer, null) });
  }
  return { ...answer, tried: null };
}

async function refuseTooMany({ store }: ActivityPorts, { runKey, request, tries }: RecordDecisionInput, tried: Tried | null): Promise<RecordDecisionOutcome> {
  const gate = await store.getGate(runKey, request.approvalId);
  const whose = tried ? tried.person : 'Decisions for other runs';
  const message = `${whose} had ${tries?.max ?? 0} tries at this gate (limits.maxTriesPerGate), and has no more. Others may still decide.`;
  return gate ? { ...refused(gate, 'tooManyTries', message).answer, tried } : { type: 'refused', reason: 'tooManyTries', gateStatus: null, message, tried };
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
