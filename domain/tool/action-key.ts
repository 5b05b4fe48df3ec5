import type { AttemptId, RunKey } from '../../contracts/ids.ts';
import type { JsonObject } from '../../contracts/json.ts';

/**
 * What the idempotency key of an irreversible action is made of. No policy, attempt, model call id or gate in it: the same
 * action asked for again has the same key, unless a person approved it as a further occurrence.
 */
export function actionKeyParts(runKey: RunKey, tool: string, args: JsonObject, occurrence: number): JsonObject {
  return { agentRunId: runKey.agentRunId, firstExecutionRunId: runKey.firstExecutionRunId, tool, arguments: args, occurrence };
}

/** The same for a read or write: keyed by accepted attempt and call, so that an address set to A, B and A again ends at A. */
export function callKeyParts(runKey: RunKey, attemptId: AttemptId, callIndex: number): JsonObject {
  return { agentRunId: runKey.agentRunId, firstExecutionRunId: runKey.firstExecutionRunId, attemptId, callIndex };
}
