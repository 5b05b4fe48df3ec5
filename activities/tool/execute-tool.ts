import { activityInfo, Context } from '@temporalio/activity';
import type { ExecuteToolInput, ExecuteToolOutcome } from '../../contracts/agent-run.ts';
import { TollgateError } from '../../contracts/failures.ts';
import type { RunKey } from '../../contracts/ids.ts';
import type { TaskSnapshot } from '../../contracts/task.ts';
import type { NewToolCall, ToolCallOutcome } from '../../domain/store/port.ts';
import { callKeyParts } from '../../domain/tool/action-key.ts';
import { callKeyOf } from '../../domain/tool/tool-call.ts';
import type { ToolContext } from '../../domain/tool/runtime-port.ts';
import { loadRunFacts, loadSnapshot } from '../agent-run/snapshot.ts';
import { canonicalDigest } from '../digest.ts';
import { persist, withHeartbeat } from '../heartbeat.ts';
import type { ActivityPorts } from '../ports.ts';
import { executeIrreversible } from './irreversible.ts';
import { type LoadedCall, loadCall, resultMessage } from './loaded-call.ts';

/** Tries of a read or write that fails in a way another try may cure; then the model is told. */
const MAX_TRIES = 3;

/** Carries out one tool call. The effect is the pinned tool's, raised where this worker's own configuration is stricter. */
export function executeTool(ports: ActivityPorts, input: ExecuteToolInput): Promise<ExecuteToolOutcome> {
  return withHeartbeat({ reserved: true, initially: false }, async () => {
    const run = await loadRunFacts(ports.store, input.runKey);
    const snapshot = await loadSnapshot(ports.store, run.snapshotDigest);
    const call = await loadCall(ports.store, snapshot, input.runKey, input.attemptId, input.callIndex);
    const own = ports.registry.tasks.get(snapshot.task.name)?.tools.find((tool) => tool.name === call.tool.name && tool.version === call.tool.version);
    const isIrreversible = call.tool.effect === 'irreversible' || own?.effect === 'irreversible';
    if (!isIrreversible) return executeRepeatable(ports, input, snapshot, call, run.tenant);
    if (!input.approvalId)
      throw new TollgateError(
        'notPermitted',
        `"${call.tool.name}" is irreversible and runs only by the approvalId of its gate; none was given. Nothing was sent.`,
      );
    return executeIrreversible(ports, { ...input, approvalId: input.approvalId }, snapshot, call, run.tenant);
  });
}

async function executeRepeatable(
  ports: ActivityPorts,
  input: ExecuteToolInput,
  snapshot: TaskSnapshot,
  call: LoadedCall,
  tenant: string,
): Promise<ExecuteToolOutcome> {
  const { store, runtimeOf } = ports;
  const { runKey, attemptId, callIndex } = input;
  const { tool, args } = call;
  const { toolTimeoutMs, maxToolResultBytes } = snapshot.task.limits;
  const callKey = callKeyOf(attemptId, callIndex);
  const idempotencyKey = canonicalDigest(callKeyParts(runKey, attemptId, callIndex));
  const runtime = runtimeOf(tool);
  const row: NewToolCall = {
    runKey,
    callKey,
    attemptId,
    callIndex,
    tool: tool.name,
    toolVersion: tool.version,
    effect: tool.effect,
    argumentsDigest: canonicalDigest(args),
    idempotencyKey,
    approvalId: null,
    occurrence: 0,
    dispatchDeadlineMs: (await store.nowMs()) + toolTimeoutMs,
  };
  // A local read is over before anybody could look for it, so one write does. A recorded answer claims its line in the row.
  const isBrief = activityInfo().isLocal && tool.effect === 'read' && tool.binding.type !== 'recorded';
  const known = isBrief ? await store.getToolCall(runKey, callKey) : (await store.beginToolCall(row)).call;
  if (known?.status === 'done' || known?.status === 'failed') return { type: 'done', isError: known.isError };

  const dispatched = await runtime.dispatch(tool, args, toolContext(runKey, callKey, idempotencyKey, tenant, toolTimeoutMs));
  if (dispatched.type === 'unknown' && activityInfo().attempt < MAX_TRIES) throw new TollgateError('toolFailed', `${tool.name}: ${dispatched.message}`);
  const isError = dispatched.type !== 'done';
  const result = dispatched.type === 'done' ? dispatched.result : { error: dispatched.message };
  const message = resultMessage(call, result, isError, maxToolResultBytes);
  const outcome: ToolCallOutcome = { status: isError ? 'failed' : 'done', result, isError, message };
  await persist(() => (isBrief ? store.journalRead(row, outcome) : store.finishToolCall(runKey, callKey, outcome)));
  return { type: 'done', isError };
}

export function toolContext(runKey: RunKey, callKey: string, idempotencyKey: string, tenant: string, timeoutMs: number): ToolContext {
  const signal = AbortSignal.any([Context.current().cancellationSignal, AbortSignal.timeout(timeoutMs)]);
  return { runKey, callKey, idempotencyKey, tenant, signal };
}
