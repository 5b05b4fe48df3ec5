import type { GatedAction } from '../../contracts/approval.ts';
import type { ActionDigest } from '../../contracts/ids.ts';
import type { JsonObject } from '../../contracts/json.ts';
import type { ToolDefinition } from '../../contracts/task.ts';
import type { DecisionVerifier } from '../../domain/approval/key-port.ts';
import { rolesOfVote } from '../../domain/approval/delegation.ts';
import { bindingArguments } from '../../domain/approval/policy.ts';
import type { GateRecord, ProvenVote } from '../../domain/approval/gate.ts';
import { boundArguments, type OpenedTokens } from '../../domain/redaction/revealed-arguments.ts';
import { canonicalDigest } from '../digest.ts';
import type { ActivityPorts } from '../ports.ts';
import { NOBODY_STANDS } from './delegations.ts';

export const RAISE_BUDGET_TOOL = 'tollgate.raiseBudget';
export const TAKE_OVER_TOOL = 'tollgate.takeOver';

type Described = Pick<GateRecord, 'runKey' | 'approvalId' | 'kind' | 'tool' | 'toolVersion' | 'destination' | 'arguments' | 'occurrence' | 'policyVersion'> &
  Partial<Pick<GateRecord, 'policy' | 'terms' | 'requester'>>;

/** SHA-256 over the canonical form of what a gate asks for: tokens in the arguments together with the keyed hashes of their values. */
export function actionDigestOf(gate: Described, volatileArguments: readonly string[], opened: OpenedTokens): ActionDigest {
  const action: GatedAction = {
    approvalId: gate.approvalId,
    agentRunId: gate.runKey.agentRunId,
    firstExecutionRunId: gate.runKey.firstExecutionRunId,
    kind: gate.kind,
    tool: gate.tool,
    toolVersion: gate.toolVersion,
    destination: gate.destination,
    arguments: bindingArguments(boundArguments(gate.arguments as JsonObject, opened), volatileArguments),
    occurrence: gate.occurrence,
    policyVersion: gate.policyVersion,
    ...(gate.terms && gate.policy && gate.requester !== undefined ? { terms: { policy: gate.policy, requester: gate.requester, ...gate.terms } } : {}),
  };
  return canonicalDigest(action) as ActionDigest;
}

/**
 * The votes of a gate that a valid signature proves, for exactly `digest`, which the caller computed itself from its own
 * configuration. A row that somebody wrote into the store proves nothing.
 */
export function provenVotes(
  { verifier }: { readonly verifier: Pick<DecisionVerifier, 'verify'> },
  gate: GateRecord,
  digest: ActionDigest,
  stands = NOBODY_STANDS,
): readonly ProvenVote[] {
  return gate.votes.flatMap((vote): ProvenVote[] => {
    const decision = verifier.verify(vote.signedDecision);
    const isForThis =
      decision !== null &&
      decision.approvalId === gate.approvalId &&
      decision.agentRunId === gate.runKey.agentRunId &&
      decision.firstExecutionRunId === gate.runKey.firstExecutionRunId &&
      decision.actionDigest === digest;
    if (!isForThis || (decision.verdict !== 'approve' && decision.verdict !== 'deny')) return [];
    const roles = rolesOfVote(vote, decision, stands.delegations, stands.tenant);
    return [{ ...vote, approver: decision.approver, roles, verdict: decision.verdict, signedUntilMs: decision.expiresAtMs }];
  });
}

/** The destination of a tool on this worker. */
export function destinationOf({ runtimeOf }: Pick<ActivityPorts, 'runtimeOf'>, tool: ToolDefinition): string {
  return runtimeOf(tool).destination(tool);
}
