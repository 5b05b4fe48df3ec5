import type { ExecuteToolInput, ExecuteToolOutcome } from '../../contracts/agent-run.ts';
import { TollgateError } from '../../contracts/failures.ts';
import type { ApprovalId } from '../../contracts/ids.ts';
import type { JsonObject, JsonValue } from '../../contracts/json.ts';
import type { TaskSnapshot } from '../../contracts/task.ts';
import type { GateRecord } from '../../domain/approval/gate.ts';
import type { NewToolCall, ToolCallRecord } from '../../domain/store/port.ts';
import { identifyingArguments } from '../../domain/redaction/revealed-arguments.ts';
import { actionKeyParts } from '../../domain/tool/action-key.ts';
import type { ToolContext } from '../../domain/tool/runtime-port.ts';
import { callKeyOf } from '../../domain/tool/tool-call.ts';
import { askedPolicy, isOutgrown } from '../approval/asked-policy.ts';
import { demandUnpaused } from '../agent-run/held.ts';
import { authorityOver } from '../approval/authority.ts';
import { actionDigestOf, destinationOf } from '../approval/gated-action.ts';
import { canonicalDigest } from '../digest.ts';
import { persist } from '../heartbeat.ts';
import type { ActivityPorts } from '../ports.ts';
import { openedIn } from '../redaction/opened.ts';
import type { RunOfText } from '../redaction/run-redaction.ts';
import { mustNotBeRestored } from '../restored.ts';
import { type DeployedCall, toolContext, type TracedText } from './execute-tool.ts';
import { type LoadedCall, resultMessage } from './loaded-call.ts';
import { auditReveal, demandValues, errorText, hintAtNeeds, receiveResult, type ShownCall, showCall } from './values.ts';

/** After this long from its intent a sender no longer dispatches. Shorter than the heartbeat timeout, after which another takes over. */
const DISPATCH_WINDOW_MS = 3_000;

const CHANGED_NOTE = 'A person changed the arguments before the action was approved; it was asked for with those shown here, not with yours.';

type GatedInput = ExecuteToolInput & { readonly approvalId: ApprovalId };

interface Execution {
  readonly ports: ActivityPorts;
  readonly snapshot: TaskSnapshot;
  readonly call: DeployedCall;
  readonly text: RunOfText;
  /** What runs: the bytes stored with the gate, with the values that the tool needs in place of their tokens. */
  readonly shown: ShownCall;
  readonly intent: ToolCallRecord;
  /** The arguments, where people changed what the model asked for. */
  readonly changed: JsonObject | null;
  readonly context: ToolContext;
}

/**
 * Carries out an irreversible action at most once. The approval is proven from signatures over a digest computed here,
 * and consumed in the transaction that writes the intent; an intent found without outcome is never simply sent again.
 */
export async function executeIrreversible(
  ports: ActivityPorts,
  input: GatedInput,
  snapshot: TaskSnapshot,
  call: DeployedCall,
  text: TracedText,
): Promise<ExecuteToolOutcome> {
  const { store } = ports;
  const { runKey, approvalId } = input;
  const gate = await store.getGate(runKey, approvalId);
  if (gate?.kind !== 'action' || gate.attemptId !== input.attemptId || gate.callIndex !== input.callIndex)
    return { type: 'notPermitted', gateStatus: gate?.status ?? 'withdrawn', message: `Gate ${approvalId} is not for this call. Nothing was sent.` };

  // A worker that can't carry it out (it lacks the version, say) must not keep a call waiting that a person gave up.
  if (gate.status === 'withdrawn') return { type: 'notPermitted', gateStatus: 'withdrawn', message: `Gate ${approvalId} was withdrawn. Nothing was sent.` };
  const args = gate.arguments as JsonObject;
  const callKey = callKeyOf(input.attemptId, input.callIndex, approvalId);
  const contextOf = (idempotencyKey: string): ToolContext => ({
    ...toolContext(runKey, callKey, idempotencyKey, text, snapshot.task.limits.toolTimeoutMs),
    atMostOnce: true,
  });
  // Opened once: what the digest binds is what runs.
  const opened = await openedIn(ports, text, args);
  const shown = showCall(call.tool, call.own, args, opened);
  const changed = (gate.edits ?? []).length > 0 ? args : null;
  const execution = (intent: ToolCallRecord): Execution => ({ ports, snapshot, call, text, shown, intent, changed, context: contextOf(intent.idempotencyKey) });
  const digest = actionDigestOf(
    { ...gate, tool: call.tool.name, toolVersion: call.tool.version, destination: destinationOf(ports, call.tool) },
    call.tool.volatileArguments,
    opened,
  );
  const isShown = digest === gate.actionDigest;
  const asked = askedPolicy(ports, snapshot, 'action', { tool: call.tool.name, tenant: text.tenant, arguments: args });
  // What a standing approval is judged by is what runs, and not what the model wrote.
  const authority = await authorityOver(ports, { gate, digest, snapshot, call: { ...call, args }, opened, tenant: text.tenant, asked });
  const found = await store.getToolCall(runKey, callKey);
  if (found?.status === 'intent') await demandUnpaused(store, runKey);
  if (found) return resume(execution(found), isShown, await authority.mayBeSentAgain());
  await mustNotBeRestored(store, `the action of gate ${approvalId}`);

  if (isOutgrown(ports, gate, asked)) return { type: 'reopen', message: 'The policy became stricter since the gate was opened.' };
  if (!isShown) return { type: 'reopen', message: 'What would run here is not what the gate shows (destination, version or arguments differ).' };

  demandValues(call.tool.name, shown);
  await authority.demandRunning();
  const identity = identifyingArguments(args, opened);
  await ports.runtimeOf(call.tool).prepare?.(call.tool, contextOf(actionKey(input, gate, call, identity)));
  await auditReveal(ports, text, call.tool.name, callKey, shown);
  const consumed = await store.consumeApproval(intentOf(input, gate, call, identity, callKey, await store.nowMs()), authority.mayBegin);
  switch (consumed.type) {
    case 'permitted':
      return dispatch(execution(consumed.call));
    case 'exists':
      return resume(execution(consumed.call), isShown, await authority.mayBeSentAgain());
    case 'repeated':
      return { type: 'reopen', message: 'The same action was carried out meanwhile; its repetition needs an approval of its own.' };
    case 'stopped':
    case 'paused':
      throw new TollgateError(consumed.type, consumed.message);
    case 'refused':
      return { type: 'notPermitted', gateStatus: consumed.gateStatus, message: consumed.message };
  }
}

function intentOf(
  input: GatedInput,
  gate: GateRecord,
  call: LoadedCall,
  args: JsonObject,
  callKey: string,
  nowMs: number,
): NewToolCall & { approvalId: ApprovalId } {
  return {
    runKey: input.runKey,
    callKey,
    attemptId: input.attemptId,
    callIndex: input.callIndex,
    tool: call.tool.name,
    toolVersion: call.tool.version,
    effect: 'irreversible',
    argumentsDigest: canonicalDigest(args),
    idempotencyKey: actionKey(input, gate, call, args),
    approvalId: input.approvalId,
    occurrence: gate.occurrence,
    dispatchDeadlineMs: nowMs + DISPATCH_WINDOW_MS,
  };
}

function actionKey({ runKey }: GatedInput, { occurrence }: GateRecord, { tool }: LoadedCall, args: JsonObject): string {
  return canonicalDigest(actionKeyParts(runKey, tool.name, args, occurrence));
}

/** The one dispatch that the consumed approval permits. A sender that is late does not send, and says so. */
async function dispatch(execution: Execution): Promise<ExecuteToolOutcome> {
  const { ports, call, shown, intent, context } = execution;
  const isLate = (await ports.store.nowMs()) > intent.dispatchDeadlineMs || context.signal.aborted;
  if (isLate) return finish(execution, 'failed', { error: 'Not done: the worker was too late to send it. Nothing was sent; ask again if it is still wanted.' });
  const dispatched = await ports.runtimeOf(call.tool).dispatch(call.tool, shown.args, context);
  switch (dispatched.type) {
    case 'done':
      return finish(execution, 'done', dispatched.result);
    case 'notDone':
      return finish(execution, 'failed', { error: hintAtNeeds(dispatched.message, shown) });
    case 'unknown':
      return reconcile(execution, dispatched.message, 0);
  }
}

/**
 * Found with an intent: its outcome, or in doubt. The first sender may still be alive until its dispatch deadline. A worker
 * that would send something else than the gate shows (`isShown` false: another destination, say) cannot ask there either,
 * and without proof that the action was approved (`isApproved`) nothing is sent again: an intent is a row, and rows are no authority.
 */
async function resume(execution: Execution, isShown: boolean, isApproved: boolean): Promise<ExecuteToolOutcome> {
  const { ports, intent } = execution;
  if (intent.status === 'done' || intent.status === 'failed') return { type: 'done', isError: intent.isError };
  if (intent.status === 'inDoubt') return { type: 'inDoubt', message: 'Whether the action happened is not known.' };
  const waitMs = Math.max(0, intent.dispatchDeadlineMs - (await ports.store.nowMs()) + 1);
  await new Promise((resolve) => setTimeout(resolve, waitMs));
  if (!isShown) return doubt(execution, 'The worker died or froze during the call, and this one is configured with another destination.');
  if (execution.shown.erased.length > 0) return doubt(execution, 'The worker died or froze during the call, and the values to ask with were erased since.');
  return reconcile(execution, 'The worker died or froze between the intent and the outcome.', isApproved ? 1 : 0);
}

/**
 * Asks the destination. `notDone` permits another dispatch only where the destination honours the idempotency key, since
 * a frozen sender may still wake; `redispatches` limits how often.
 */
async function reconcile(execution: Execution, why: string, redispatches: number): Promise<ExecuteToolOutcome> {
  const { ports, call, text, shown, intent, context } = execution;
  const runtime = ports.runtimeOf(call.tool);
  if (runtime.reconcile) await auditReveal(ports, text, call.tool.name, intent.callKey, shown);
  const answer = runtime.reconcile ? await runtime.reconcile(call.tool, shown.args, context) : ({ type: 'unknown' } as const);
  if (answer.type === 'done') return finish(execution, 'done', answer.result);
  if (answer.type === 'notDone' && answer.honoursIdempotencyKey && redispatches > 0) {
    const again = await runtime.dispatch(call.tool, shown.args, context);
    if (again.type === 'done') return finish(execution, 'done', again.result);
    if (again.type === 'notDone') return finish(execution, 'failed', { error: again.message });
    return reconcile(execution, again.message, redispatches - 1);
  }
  return doubt(execution, why);
}

async function doubt({ ports, call, text, shown, intent }: Execution, said: string): Promise<ExecuteToolOutcome> {
  const { runKey, callKey } = intent;
  const why = errorText(await persist(() => receiveResult(ports, text, call.tool.name, shown, said)));
  const row = await persist(() => ports.store.finishToolCall(runKey, callKey, { status: 'inDoubt', result: { error: why }, isError: true }));
  if (row.status === 'done' || row.status === 'failed') return { type: 'done', isError: row.isError };
  await ports.store.appendAudit({ type: 'action.inDoubt', runKey, actor: 'tollgate', data: { tool: call.tool.name, callKey, why } });
  return { type: 'inDoubt', message: why };
}

/** The model is told where what ran is not what it asked for; the outcome that is stored is the tool's own. */
async function finish(
  { ports, call, text, shown, snapshot, intent, changed }: Execution,
  status: 'done' | 'failed',
  said: JsonValue,
): Promise<ExecuteToolOutcome> {
  const isError = status === 'failed';
  const { value: result, flags } = await persist(() => receiveResult(ports, text, call.tool.name, shown, said));
  const message = resultMessage(
    call,
    changed ? { note: CHANGED_NOTE, arguments: changed, result } : result,
    isError,
    snapshot.task.limits.maxToolResultBytes,
    flags,
  );
  const row = await persist(() => ports.store.finishToolCall(intent.runKey, intent.callKey, { status, result, isError, message }));
  return { type: 'done', isError: row.isError };
}
