import type { TakeOverInput, TakeOverOutcome } from '../../contracts/agent-run.ts';
import { decidedAs, type GateRecord, permits, type Ruling, type Vote } from '../../domain/approval/gate.ts';
import { NOTHING_OPENED } from '../../domain/redaction/revealed-arguments.ts';
import { loadRunFacts, loadSnapshot } from '../agent-run/snapshot.ts';
import { outputProblem } from '../model/check-output.ts';
import type { ActivityPorts } from '../ports.ts';
import { askedPolicy, isOutgrown, rulingOf } from './asked-policy.ts';
import { delegationsOf } from './delegations.ts';
import { actionDigestOf, provenVotes } from './gated-action.ts';

/**
 * Uses up an approved gate of kind `unavailable`, once. A comment on an approval is the answer, word for word as it was signed;
 * without one the models are tried again. An answer that breaks the task's output schema is sent back. The same call again
 * gets the same outcome.
 */
export async function takeOver(ports: ActivityPorts, { runKey, snapshotDigest, approvalId }: TakeOverInput): Promise<TakeOverOutcome> {
  const { store } = ports;
  const gate = await store.getGate(runKey, approvalId);
  if (gate?.kind !== 'unavailable') return { type: 'notPermitted', message: `${approvalId} is no gate of this run about its models.` };
  const { tenant } = await loadRunFacts(store, runKey);
  const stands = await delegationsOf(ports, gate, tenant);
  const votes = provenVotes(ports, gate, actionDigestOf(gate, [], NOTHING_OPENED), stands);
  const answer = signedAnswer(ports, votes);
  const snapshot = await loadSnapshot(store, snapshotDigest);
  const { task } = snapshot;
  const asked = askedPolicy(ports, snapshot, 'unavailable', { tool: gate.tool, tenant, arguments: gate.arguments });
  if (isOutgrown(ports, gate, asked)) return { type: 'notPermitted', message: 'The policy became stricter since the gate was opened.' };
  const problem = answer && task.outputSchema ? await outputProblem(ports.registry, { task }, answer.text) : undefined;
  if (problem !== undefined) return { type: 'notPermitted', message: `The answer by hand does not fit the task's output schema: ${problem.slice(0, 600)}` };
  const refusal = await consume(ports, gate, votes, rulingOf(ports), answer?.approver ?? 'tollgate');
  if (refusal !== null) return { type: 'notPermitted', message: refusal };
  return answer ? { type: 'answer', ...answer } : { type: 'retry' };
}

/** The row's copy of a comment proves nothing. */
function signedAnswer({ verifier }: ActivityPorts, votes: readonly Vote[]): { readonly text: string; readonly approver: string } | null {
  for (const { verdict, approver, signedDecision } of votes) {
    const text = verdict === 'approve' ? verifier.verify(signedDecision)?.comment?.trim() : undefined;
    if (text) return { text, approver };
  }
  return null;
}

/** Null where the gate permits it, or has done so for this call before. */
async function consume({ store }: ActivityPorts, gate: GateRecord, votes: readonly Vote[], ruling: Ruling, actor: string): Promise<string | null> {
  const { runKey, approvalId } = gate;
  let refusal: string | null = null;
  await store.decideGate(
    runKey,
    approvalId,
    (row, nowMs) => {
      const permission = row.status === 'consumed' ? ({ type: 'permitted' } as const) : permits(decidedAs(gate, row), votes, nowMs, ruling);
      refusal = permission.type === 'refused' ? permission.message : null;
      const isNew = refusal === null && row.status !== 'consumed';
      return {
        gate: isNew ? { ...row, status: 'consumed', consumedAtMs: nowMs } : null,
        answer: { type: 'accepted', gateStatus: isNew ? 'consumed' : row.status, message: refusal ?? 'The decision was acted on.' },
      };
    },
    (given) => ({ type: 'gate.takenOver', runKey, actor, data: { approvalId, gateStatus: given.gateStatus, message: given.message } }),
  );
  return refusal;
}
