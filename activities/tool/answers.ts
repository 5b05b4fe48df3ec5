import type { NodeOutcome, RefuseCallInput, ResolveInDoubtInput } from '../../contracts/agent-run.ts';
import { invariant } from '../../contracts/failures.ts';
import { type GateRecord, isProven, type Vote } from '../../domain/approval/gate.ts';
import { callKeyOf } from '../../domain/tool/tool-call.ts';
import { loadRunFacts, loadSnapshot } from '../agent-run/snapshot.ts';
import { delegationsOf } from '../approval/delegations.ts';
import { actionDigestOf, provenVotes } from '../approval/gated-action.ts';
import type { ActivityPorts } from '../ports.ts';
import { openedIn } from '../redaction/opened.ts';
import { loadCall, resultMessage } from './loaded-call.ts';
import { skippedMessage, skipRepeatable } from './skip-call.ts';

/** Tells the model that a gate or an operator stopped its call, with the reason a person gave, as a result it can act on. */
export async function refuseCall({ store }: ActivityPorts, input: RefuseCallInput): Promise<NodeOutcome> {
  const { runKey, attemptId, callIndex, approvalId, reason } = input;
  const snapshot = await loadSnapshot(store, input.snapshotDigest);
  const call = await loadCall(store, snapshot, runKey, attemptId, callIndex);
  if (approvalId === undefined) return { nodeId: await skipRepeatable(store, input, snapshot, call) };
  const nodeId = callKeyOf(attemptId, callIndex, approvalId);
  if (reason === 'skipped') {
    await store.putNode(runKey, nodeId, skippedMessage(call, snapshot, false));
    return { nodeId };
  }
  const gate = await store.getGate(runKey, approvalId);
  const denial = gate?.votes.find((vote) => vote.verdict === 'deny');
  const text = {
    denied: `Not done: a person denied this action${denial?.comment ? `, saying: ${denial.comment}` : ''}. Do not ask for the same again; find another way or explain.`,
    expired: 'Not done: nobody approved this action in time. Go on without it or explain.',
    withdrawn: 'Not done: the request for approval was withdrawn.',
  }[reason];
  await store.putNode(runKey, nodeId, resultMessage(call, { status: reason, message: text }, true, snapshot.task.limits.maxToolResultBytes));
  return { nodeId };
}

/** Settles an action in doubt by a person's proven answer: approved = done, denied = not done, no answer = the doubt stays. */
export async function resolveInDoubt(ports: ActivityPorts, input: ResolveInDoubtInput): Promise<NodeOutcome> {
  const { store } = ports;
  const { runKey, attemptId, callIndex, approvalId } = input;
  const snapshot = await loadSnapshot(store, input.snapshotDigest);
  const call = await loadCall(store, snapshot, runKey, attemptId, callIndex);
  const gate = await store.getGate(runKey, input.doubtApprovalId);
  invariant(gate, `gate ${input.doubtApprovalId} is in the store`);
  const { tenant } = await loadRunFacts(store, runKey);
  const opened = await openedIn(ports, { runKey, tenant }, gate.arguments);
  const votes = provenVotes(ports, gate, actionDigestOf(gate, call.tool.volatileArguments, opened), await delegationsOf(ports, gate, tenant));
  const callKey = callKeyOf(attemptId, callIndex, approvalId);
  const said = answerOf(gate, votes, await store.nowMs());
  const text = {
    done: 'Done: a person checked that the action happened. Its result is not known.',
    notDone: 'Not done: a person checked that the action did not happen. It may be asked for again.',
    unknown: 'Not known: the action may or may not have happened, and nobody could say. Do not ask for it again; tell the customer that it is being checked.',
  }[said];
  const isError = said !== 'done';
  const result = { status: said, message: text };
  const message = resultMessage(call, result, isError, snapshot.task.limits.maxToolResultBytes);
  if (said === 'unknown') await store.putNode(runKey, callKey, message);
  else await store.finishToolCall(runKey, callKey, { status: said === 'done' ? 'done' : 'failed', result, isError, message });
  return { nodeId: callKey };
}

/** Done takes a quorum, as every approval does. */
function answerOf(gate: GateRecord, votes: readonly Vote[], nowMs: number): 'done' | 'notDone' | 'unknown' {
  if (gate.status === 'approved' && isProven(gate, votes, nowMs)) return 'done';
  if (gate.status === 'denied' && votes.some((vote) => vote.verdict === 'deny')) return 'notDone';
  return 'unknown';
}
