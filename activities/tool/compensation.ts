import type { CompensationReport, PlanCompensationInput, PlanCompensationOutcome } from '../../contracts/agent-run.ts';
import { invariant, TollgateError } from '../../contracts/failures.ts';
import type { AttemptId, RunKey, ToolCallId } from '../../contracts/ids.ts';
import type { JsonObject, JsonValue } from '../../contracts/json.ts';
import type { ModelToolCall } from '../../contracts/model.ts';
import type { TaskSnapshot, ToolDefinition } from '../../contracts/task.ts';
import { identifyingArguments } from '../../domain/redaction/revealed-arguments.ts';
import type { Store, ToolCallRecord } from '../../domain/store/port.ts';
import { toolKey } from '../../domain/task/registry-port.ts';
import {
  type Compensable,
  type CompensationPlan,
  concludeCompensation,
  mapArguments,
  planCompensation,
  type UndoOutcome,
} from '../../domain/tool/compensation.ts';
import { loadRunFacts, loadSnapshot, toolOf } from '../agent-run/snapshot.ts';
import { canonicalDigest } from '../digest.ts';
import { readCall } from '../model/reply-calls.ts';
import type { ActivityPorts } from '../ports.ts';
import { openedIn } from '../redaction/opened.ts';
import { readPlan, type StoredPlan } from './compensation-plan.ts';
import { loadCall } from './loaded-call.ts';

/**
 * Plans how the completed actions of a run that is over are undone, and keeps the plan in the store, where calls of replies are:
 * what follows are ordinary calls with journal, idempotency keys and gates of their own. Gates that were open are withdrawn
 * first, so nothing that is to be undone can still be done. The same call again finds the plan as it is.
 */
export async function planUndoing(ports: ActivityPorts, input: PlanCompensationInput): Promise<PlanCompensationOutcome> {
  const { store } = ports;
  const { runKey, planId } = input;
  const snapshot = await loadSnapshot(store, input.snapshotDigest);
  const known = await readPlan(store, runKey, planId);
  if (known) return { calls: known.calls.map((call) => replyCall(snapshot, call)) };

  await store.withdrawGatesExcept(runKey, []);
  const plan = await makePlan(ports, runKey, snapshot);
  const calls = plan.undo.map(
    ({ callKey, by }): ModelToolCall => ({ toolCallId: callKey as ToolCallId, name: by.tool, argumentsText: JSON.stringify(by.arguments) }),
  );
  const text = JSON.stringify({ why: input.why, plan } satisfies Omit<StoredPlan, 'calls'>);
  await store.putNode(runKey, planId, { role: 'assistant', text, toolCalls: calls });
  const kept = await readPlan(store, runKey, planId);
  invariant(kept, `the plan ${planId} is in the store`);
  await store.appendAudit({
    type: 'compensation.planned',
    runKey,
    actor: 'tollgate',
    data: {
      planId,
      undo: kept.plan.undo.map(({ callKey, tool, by }) => ({ callKey, tool, by: by.tool })),
      left: kept.plan.left.map((action) => ({ ...action })),
    },
  });
  return { calls: kept.calls.map((call) => replyCall(snapshot, call)) };
}

function replyCall(snapshot: TaskSnapshot, { name }: ModelToolCall): PlanCompensationOutcome['calls'][number] {
  const tool = toolOf(snapshot, name);
  invariant(tool, `the tool "${name}" of a plan is one of the pinned task`);
  return { tool: name, effect: tool.effect, valid: true };
}

async function makePlan(ports: ActivityPorts, runKey: RunKey, snapshot: TaskSnapshot): Promise<CompensationPlan> {
  const calls = await ports.store.listToolCalls(runKey);
  const actions: Compensable[] = [];
  for (const call of calls) {
    const tool = toolOf(snapshot, call.tool);
    if (!tool?.compensate) continue;
    const { callKey, effect, status, isError } = call;
    const isDone = status === 'done' && !isError;
    actions.push({
      callKey,
      tool: call.tool,
      effect,
      status,
      isError,
      by: isDone ? await undoOf(ports, snapshot, tool, call) : { problem: 'it was not done' },
    });
  }
  return planCompensation(
    actions,
    calls.filter(({ status, isError }) => status === 'done' && !isError),
  );
}

async function undoOf(ports: ActivityPorts, snapshot: TaskSnapshot, tool: ToolDefinition, call: ToolCallRecord): Promise<Compensable['by']> {
  const { runKey, attemptId, callIndex } = call;
  const name = tool.compensate?.tool ?? '';
  const gate = call.approvalId === null ? null : await ports.store.getGate(runKey, call.approvalId);
  // What ran is what the gate showed.
  const args = (gate?.arguments as JsonObject | undefined) ?? (await loadCall(ports.store, snapshot, runKey, attemptId, callIndex)).args;
  const made = argumentsOf(ports, tool, args, call.result);
  if ('problem' in made) return made;
  const read = readCall(snapshot, { toolCallId: call.callKey as ToolCallId, name, argumentsText: JSON.stringify(made.arguments) });
  if (read.type === 'invalid') return { problem: `${name} can not be called: ${read.message}` };
  const { tenant } = await loadRunFacts(ports.store, runKey);
  const opened = await openedIn(ports, { runKey, tenant }, read.args);
  return { tool: name, arguments: read.args, argumentsDigest: canonicalDigest(identifyingArguments(read.args, opened)) };
}

function argumentsOf(
  { registry }: ActivityPorts,
  { name, version, compensate }: ToolDefinition,
  args: JsonObject,
  result: JsonValue,
): { readonly arguments: JsonObject } | { readonly problem: string } {
  if (compensate?.arguments) {
    const mapped = mapArguments(compensate.arguments, args, result);
    return mapped.type === 'arguments' ? mapped : { problem: `what was done has no ${mapped.places.join(', ')}, which ${compensate.tool} needs` };
  }
  const spec = registry.tools.get(toolKey(name, version));
  if (!spec)
    throw new TollgateError(
      'toolVersionUnavailable',
      `This worker has no version ${version} of tool "${name}", which says how it is undone. The run waits for a worker that does.`,
    );
  if (!spec.compensate || !('argumentsFrom' in spec.compensate)) return { problem: `this version of ${name} no longer says how it is undone` };
  try {
    return { arguments: spec.compensate.argumentsFrom(args, result) };
  } catch (error) {
    return { problem: `its argumentsFrom failed: ${error instanceof Error ? error.message : String(error)}` };
  }
}

/** What the plan came to, from the journal and the gates. Null where nothing was planned. */
export async function reportUndoing(store: Store, runKey: RunKey, planId: AttemptId): Promise<CompensationReport | null> {
  const stored = await readPlan(store, runKey, planId);
  if (!stored) return null;
  const isOfPlan = (entry: { readonly attemptId: AttemptId | null }) => entry.attemptId === planId;
  const calls = (await store.listToolCalls(runKey)).filter(isOfPlan);
  const gates = (await store.listGates({ runKey, limit: 1_000 })).filter(isOfPlan);
  const outcomes = stored.plan.undo.map((_, index): UndoOutcome => {
    const call = calls.findLast(({ callIndex }) => callIndex === index);
    if (call) return outcomeOf(call);
    const gate = gates.findLast(({ callIndex }) => callIndex === index);
    return gate ? { type: 'stopped', gateStatus: gate.status } : { type: 'notTried' };
  });
  return concludeCompensation(stored.plan, outcomes);
}

function outcomeOf({ status, isError, result }: ToolCallRecord): UndoOutcome {
  if (status === 'done' && !isError) return { type: 'done' };
  if (status === 'intent' || status === 'inDoubt') return { type: 'unknown' };
  const said = (result as { readonly error?: unknown; readonly message?: unknown } | null) ?? {};
  return { type: 'failed', message: String(said.error ?? said.message ?? 'it gave no reason') };
}
