import type { AttemptId, RunKey } from '../../contracts/ids.ts';
import type { TranscriptMessage } from '../../contracts/model.ts';
import type { TaskSnapshot } from '../../contracts/task.ts';
import type { Store } from '../../domain/store/port.ts';
import { callKeyOf } from '../../domain/tool/tool-call.ts';
import { type LoadedCall, resultMessage } from './loaded-call.ts';

const NEVER_BEGUN = 'Not done: an operator skipped this call. Go on without it or explain.';
const BEGUN = 'Skipped: an operator gave this call up while it was under way. Whether it was carried out is not known. Go on without it or explain.';

/**
 * Answers a call that an operator gave up. One that has come to something meanwhile keeps that. Never for an action that
 * people must permit: those that have begun are not given up, and the others are answered by their gate.
 */
export async function skipRepeatable(
  { getToolCall, finishToolCall, putNode }: Store,
  { runKey, attemptId, callIndex }: { readonly runKey: RunKey; readonly attemptId: AttemptId; readonly callIndex: number },
  snapshot: TaskSnapshot,
  call: LoadedCall,
): Promise<string> {
  const nodeId = callKeyOf(attemptId, callIndex);
  const begun = await getToolCall(runKey, nodeId);
  const message = skippedMessage(call, snapshot, begun !== null);
  if (begun) await finishToolCall(runKey, nodeId, { status: 'failed', result: { status: 'skipped', message: BEGUN }, isError: true, message });
  else await putNode(runKey, nodeId, message);
  return nodeId;
}

/** What the model is told. */
export function skippedMessage(call: LoadedCall, snapshot: TaskSnapshot, hasBegun: boolean): TranscriptMessage {
  return resultMessage(call, { status: 'skipped', message: hasBegun ? BEGUN : NEVER_BEGUN }, true, snapshot.task.limits.maxToolResultBytes);
}
