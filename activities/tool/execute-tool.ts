import { activityInfo, Context } from '@temporalio/activity';
import type { ExecuteToolInput, ExecuteToolOutcome } from '../../contracts/agent-run.ts';
import { TollgateError } from '../../contracts/failures.ts';
import type { RunKey } from '../../contracts/ids.ts';
import type { TaskSnapshot, ToolDefinition } from '../../contracts/task.ts';
import type { NewToolCall, ToolCallOutcome } from '../../domain/store/port.ts';
import { identifyingArguments } from '../../domain/redaction/revealed-arguments.ts';
import { callKeyParts } from '../../domain/tool/action-key.ts';
import { callKeyOf } from '../../domain/tool/tool-call.ts';
import type { ToolContext } from '../../domain/tool/runtime-port.ts';
import { whyHeld } from '../agent-run/held.ts';
import { loadRunFacts, loadSnapshot } from '../agent-run/snapshot.ts';
import { type TracedRun, traceparentBelow } from '../../telemetry/trace-ids.ts';
import { canonicalDigest } from '../digest.ts';
import { persist, withHeartbeat } from '../heartbeat.ts';
import type { ActivityPorts } from '../ports.ts';
import { openedIn } from '../redaction/opened.ts';
import { toRunOfText } from '../redaction/run-of-text.ts';
import type { RunOfText } from '../redaction/run-redaction.ts';
import { callJournal, readJournal } from './call-journal.ts';
import { executeIrreversible } from './irreversible.ts';
import { type LoadedCall, loadCall, resultMessage } from './loaded-call.ts';
import { skipRepeatable } from './skip-call.ts';
import { auditReveal, demandValues, errorText, hintAtNeeds, receiveResult, showCall } from './values.ts';

/** Tries of a read or write that fails in a way another try may cure; then the model is told. */
const MAX_TRIES = 3;

/** A run as redaction and traces need it. */
export type TracedText = RunOfText & { readonly traced: TracedRun };

/** A call with its tool as this worker has it, where it has it at all. */
export type DeployedCall = LoadedCall & { readonly own: ToolDefinition | undefined };

/** Carries out one tool call. The effect is the pinned tool's, raised where this worker's own configuration is stricter. */
export function executeTool(ports: ActivityPorts, input: ExecuteToolInput): Promise<ExecuteToolOutcome> {
  return withHeartbeat({ reserved: true, initially: false }, () => auditingChange(ports, input, () => execute(ports, input)));
}

async function execute(ports: ActivityPorts, input: ExecuteToolInput): Promise<ExecuteToolOutcome> {
  const run = await loadRunFacts(ports.store, input.runKey);
  if (input.snapshotDigest !== undefined && input.snapshotDigest !== run.snapshotDigest)
    throw new TollgateError(
      'notPermitted',
      `The store names another pinned task (${run.snapshotDigest}) than the run's history (${input.snapshotDigest}). Nothing was sent.`,
    );
  const snapshot = await loadSnapshot(ports.store, run.snapshotDigest);
  const call = await loadCall(ports.store, snapshot, input.runKey, input.attemptId, input.callIndex);
  const own = ports.registry.tasks.get(snapshot.task.name)?.tools.find((tool) => tool.name === call.tool.name && tool.version === call.tool.version);
  const isIrreversible = call.tool.effect === 'irreversible' || own?.effect === 'irreversible';
  const text = { ...toRunOfText(input.runKey, run, snapshot), traced: run };
  if (!isIrreversible) return executeRepeatable(ports, input, snapshot, { ...call, own }, text);
  if (!input.approvalId)
    throw new TollgateError(
      'notPermitted',
      `"${call.tool.name}" is irreversible and runs only by the approvalId of its gate; none was given. Nothing was sent.`,
    );
  return executeIrreversible(ports, { ...input, approvalId: input.approvalId }, snapshot, { ...call, own }, text);
}

/** A tool that is no longer the pinned one is refused for as long as that lasts: each doubling of the tries is in the audit. */
async function auditingChange<T>({ store }: ActivityPorts, { runKey, attemptId, callIndex }: ExecuteToolInput, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    const tries = activityInfo().attempt;
    if (error instanceof TollgateError && error.type === 'toolChanged' && Number.isInteger(Math.log2(tries)))
      await store.appendAudit({ type: 'tool.changed', runKey, actor: 'tollgate', data: { attemptId, callIndex, tries, message: error.message } });
    throw error;
  }
}

async function executeRepeatable(
  ports: ActivityPorts,
  input: ExecuteToolInput,
  snapshot: TaskSnapshot,
  call: DeployedCall,
  text: TracedText,
): Promise<ExecuteToolOutcome> {
  const { store, runtimeOf } = ports;
  const { runKey, attemptId, callIndex } = input;
  const { tool, args, own } = call;
  const { pausedBy, skippedReplyId } = await store.controlOf(runKey);
  if (skippedReplyId === attemptId) {
    await skipRepeatable(store, input, snapshot, call);
    return { type: 'done', isError: true };
  }
  if (pausedBy !== null) throw new TollgateError('paused', whyHeld(runKey, pausedBy));
  const { toolTimeoutMs, maxToolResultBytes } = snapshot.task.limits;
  const callKey = callKeyOf(attemptId, callIndex);
  const idempotencyKey = canonicalDigest(callKeyParts(runKey, attemptId, callIndex));
  const runtime = runtimeOf(tool);
  const opened = await openedIn(ports, text, args);
  const row: NewToolCall = {
    runKey,
    callKey,
    attemptId,
    callIndex,
    tool: tool.name,
    toolVersion: tool.version,
    effect: tool.effect,
    argumentsDigest: canonicalDigest(identifyingArguments(args, opened)),
    idempotencyKey,
    approvalId: null,
    occurrence: 0,
    dispatchDeadlineMs: (await store.nowMs()) + toolTimeoutMs,
  };
  // A recorded answer claims its line in the row.
  const journal = tool.effect === 'read' && tool.binding.type !== 'recorded' ? await readJournal(store, row) : await callJournal(store, row);
  const { known } = journal;
  if (known?.status === 'done' || known?.status === 'failed') return { type: 'done', isError: known.isError };

  const shown = showCall(tool, own, args, opened);
  demandValues(tool.name, shown);
  await auditReveal(ports, text, tool.name, callKey, shown);
  const dispatched = await journal.during(() => runtime.dispatch(tool, shown.args, toolContext(runKey, callKey, idempotencyKey, text, toolTimeoutMs)));
  const isError = dispatched.type !== 'done';
  const said = dispatched.type === 'done' ? dispatched.result : { error: hintAtNeeds(dispatched.message, shown) };
  const received = await receiveResult(ports, text, tool.name, shown, said);
  if (dispatched.type === 'unknown' && activityInfo().attempt < MAX_TRIES) throw new TollgateError('toolFailed', `${tool.name}: ${errorText(received)}`);
  const message = resultMessage(call, received.value, isError, maxToolResultBytes, received.flags);
  const outcome: ToolCallOutcome = { status: isError ? 'failed' : 'done', result: received.value, isError, message };
  await persist(() => journal.finish(outcome));
  return { type: 'done', isError };
}

export function toolContext(runKey: RunKey, callKey: string, idempotencyKey: string, { tenant, traced }: TracedText, timeoutMs: number): ToolContext {
  const traceparent = traceparentBelow(traced, { type: 'tool', callKey });
  const signal = AbortSignal.any([Context.current().cancellationSignal, AbortSignal.timeout(timeoutMs)]);
  return { runKey, callKey, idempotencyKey, tenant, traceparent, signal };
}
