import type { PinnedTask, PinTaskInput, PinTaskOutcome } from '../../contracts/agent-run.ts';
import { TollgateError } from '../../contracts/failures.ts';
import type { ContentDigest, RunKey } from '../../contracts/ids.ts';
import type { JsonObject } from '../../contracts/json.ts';
import { failedEndSchema, type TaskDefinition, type TaskSnapshot, taskDefinitionSchema } from '../../contracts/task.ts';
import { emptyLedger, nanoUsd } from '../../domain/budget/ledger.ts';
import { firstUserMessage } from '../../domain/agent-run/first-message.ts';
import { startContext } from '../../domain/redaction/sealing-context.ts';
import { resolveCandidates } from '../../domain/task/candidates.ts';
import { readTraceparent, traceparentBelow, traceparentOf } from '../../telemetry/trace-ids.ts';
import { canonicalDigest } from '../digest.ts';
import type { ActivityPorts } from '../ports.ts';
import { toRunOfText } from '../redaction/run-of-text.ts';
import { redactForRun, type RunOfText } from '../redaction/run-redaction.ts';
import { admit, valuesOfOtherRun } from '../redaction/travelled.ts';
import { labelOf, loadRun, loadSnapshot, promptVersionOf } from './snapshot.ts';

const INPUT_NODE_ID = 'input';
/** Shorter than the activity may take: a server that needs longer to start is found started by the next try. */
const PIN_TIMEOUT_MS = 4_500;
/** Where the task's limits do not say. */
const DEFAULT_OUTPUT_CORRECTIONS = 2;
/** How long a step waits for a quota, and a run for models, where the task's limits do not say. */
const DEFAULT_QUOTA_WAIT_MS = 300_000;
const DEFAULT_UNAVAILABLE_WAIT_MS = 3_600_000;
/** Runs may have children that have children, so far down. */
const MAX_DEPTH = 8;

/** Pins the task as it is deployed now, and opens the run in the store. The same call again changes nothing. */
export async function pinTask(ports: ActivityPorts, input: PinTaskInput): Promise<PinTaskOutcome> {
  const { store } = ports;
  const { runKey, tenant, feature, requester } = input;
  const task = await findTask(ports, input);
  const bytes = Buffer.byteLength(firstUserMessage(input.input), 'utf8');
  if (bytes > task.limits.maxMessageBytes)
    throw new TollgateError('invalidInput', `The input has ${bytes} bytes; the task takes ${task.limits.maxMessageBytes} (limits.maxMessageBytes).`);

  // A run that a reset takes back to its start keeps the task that it was pinned to.
  const earlier = await store.getRun(runKey);
  const snapshot = earlier ? await loadSnapshot(store, earlier.snapshotDigest) : takeSnapshot(ports, await completed(ports, task));
  const snapshotDigest = earlier?.snapshotDigest ?? (await store.putContent(JSON.stringify(snapshot)));
  const limitNanoUsd = nanoUsd(input.budgetLimitNanoUsd ?? task.budgetLimitNanoUsd);
  const limitTokens = input.budgetLimitTokens ?? task.budgetLimitTokens;
  const parentRunKeys = input.parent ? await chainOf(ports, input.parent) : [];
  await store.createRun({
    runKey,
    task: task.name,
    tenant,
    feature,
    requester,
    snapshotDigest,
    limitNanoUsd,
    ...(limitTokens === undefined ? {} : { limitTokens }),
    parentRunKeys,
    pinned: whatWasPinned(snapshot),
    ...(input.subject === undefined ? {} : { subject: input.subject }),
    ...(await traceparentFor(ports, input)),
  });
  const run = toRunOfText(runKey, { tenant, feature }, snapshot);
  await store.putNode(runKey, INPUT_NODE_ID, { role: 'user', text: firstUserMessage(await admitInput(ports, run, input)) });
  const ledger = (await store.getLedger(runKey)) ?? emptyLedger(limitNanoUsd);
  return { pinned: pinnedTask(snapshot, snapshotDigest), ledger, head: { attemptId: null, nodeIds: [INPUT_NODE_ID] } };
}

/** The input by the worker's own rules. A child's is its parent's text: the values behind its tokens move to the child's vault. */
async function admitInput(ports: ActivityPorts, run: RunOfText, { runKey, input, parent, redaction }: PinTaskInput): Promise<JsonObject> {
  const { value, blocked } = parent
    ? await redactForRun(ports, run, { place: 'input', genuine: { travelled: await valuesOfOtherRun(ports, run.tenant, parent, input) } }, input)
    : await admit(ports, run, { place: 'input', context: startContext(runKey.agentRunId), travelled: redaction }, input);
  if (blocked.length === 0) return value;
  throw new TollgateError('redactionBlocked', `The input has ${blocked.join(', ')}, which redaction policy blocks. Nothing of it went on.`);
}

/** A child's trace is its parent's, below the parent's span, whatever its own input says. What is no `traceparent` is dropped. */
async function traceparentFor({ store }: ActivityPorts, { parent, traceparent }: PinTaskInput): Promise<{ readonly traceparent?: string }> {
  if (parent) return { traceparent: traceparentBelow(await loadRun(store, parent), { type: 'run' }) };
  const given = readTraceparent(traceparent);
  return given ? { traceparent: traceparentOf(given) } : {};
}

/** The parent and all above it, nearest first, as the store has them: a child can't be started past a budget above its parent's. */
async function chainOf({ store }: ActivityPorts, parent: RunKey): Promise<readonly RunKey[]> {
  const { parentRunKeys } = await loadRun(store, parent);
  if (parentRunKeys.length + 1 > MAX_DEPTH)
    throw new TollgateError(
      'invalidInput',
      `The run is ${parentRunKeys.length + 1} levels below the first one; ${MAX_DEPTH} are allowed. Do the work in a level above.`,
    );
  return [parent, ...parentRunKeys];
}

async function findTask({ registry, store }: ActivityPorts, { task }: PinTaskInput): Promise<TaskDefinition> {
  if (task.type === 'named') {
    const named = registry.tasks.get(task.name);
    if (named) return named;
    const known = [...registry.tasks.keys()].join(', ') || 'none';
    throw new TollgateError('unknownTask', `The worker knows no task "${task.name}". It knows: ${known}. Add it to tollgate.config.ts and restart the worker.`);
  }
  const text = await store.getContent(task.contentDigest as ContentDigest);
  if (text === null)
    throw new TollgateError(
      'unknownTask',
      `The definition ${task.contentDigest} of task "${task.name}" is not in the worker's store. Do client and worker use the same TOLLGATE_HOME or DATABASE_URL?`,
    );
  const parsed = taskDefinitionSchema.safeParse(JSON.parse(text));
  if (parsed.success) return parsed.data;
  throw new TollgateError('invalidInput', `The stored definition of task "${task.name}" is not valid: ${parsed.error.message}`);
}

/** The task with its tools as those who bring them describe them now. */
async function completed({ runtimeOf }: ActivityPorts, task: TaskDefinition): Promise<TaskDefinition> {
  const signal = AbortSignal.timeout(PIN_TIMEOUT_MS);
  return { ...task, tools: await Promise.all(task.tools.map(async (tool) => (await runtimeOf(tool).pin?.(tool, signal)) ?? tool)) };
}

function takeSnapshot({ catalogue }: ActivityPorts, task: TaskDefinition): TaskSnapshot {
  const resolved = resolveCandidates(task, catalogue);
  if (resolved.type === 'problems') {
    const [first] = resolved.problems;
    throw new TollgateError(first?.type ?? 'unknownModel', resolved.problems.map((problem) => problem.message).join('\n'));
  }
  const policies = {
    gates: task.gates,
    tools: task.tools.map(({ name, version, effect, gate, volatileArguments, needs }) => ({
      ...{ name, version, effect, gate: gate ?? null, volatileArguments },
      ...(needs ? { needs } : {}),
    })),
  };
  return { version: 1, task, candidates: resolved.candidates, promptDigest: canonicalDigest(task.prompt), policyVersion: canonicalDigest(policies) };
}

/** For the audit: which prompt, models, tools and policy the run lives with. */
function whatWasPinned({ task, candidates, promptDigest, policyVersion }: TaskSnapshot): JsonObject {
  return {
    prompt: task.promptName ?? task.name,
    promptDigest,
    policyVersion,
    models: candidates.map(({ model, endpoint }) => ({ model, endpoint })),
    tools: task.tools.map(({ name, version, effect }) => ({ name, version, effect })),
  };
}

function pinnedTask(snapshot: TaskSnapshot, snapshotDigest: string): PinnedTask {
  const { task, candidates } = snapshot;
  const {
    maxSteps,
    maxToolCallsPerStep,
    maxPendingApprovals,
    maxTriesPerGate,
    maxAttemptsPerStep,
    maxOutputCorrections = DEFAULT_OUTPUT_CORRECTIONS,
    modelTimeoutMs,
    toolTimeoutMs,
    maxRetryWaitMs,
    maxHistoryEvents,
    maxMessages,
    maxPendingMessages,
    maxQuotaWaitMs = DEFAULT_QUOTA_WAIT_MS,
    maxUnavailableWaitMs = DEFAULT_UNAVAILABLE_WAIT_MS,
    maxDurationMs,
  } = task.limits;
  const { onQuotaDenied = 'wait', onModelsUnavailable, unavailableMessage } = task;
  return {
    taskName: task.name,
    ...(task.workflow === undefined ? {} : { workflow: task.workflow }),
    snapshotDigest,
    promptVersion: promptVersionOf(snapshot),
    models: candidates.map(labelOf),
    onBudgetExhausted: task.onBudgetExhausted,
    onDenied: task.onDenied,
    onExpired: task.onExpired,
    maxSteps,
    maxToolCallsPerStep,
    maxPendingApprovals,
    maxTriesPerGate,
    maxAttemptsPerStep,
    ...(task.outputSchema ? { maxOutputCorrections } : {}),
    modelTimeoutMs,
    toolTimeoutMs,
    maxRetryWaitMs,
    maxHistoryEvents,
    maxMessages,
    maxPendingMessages,
    onQuotaDenied,
    ...(onQuotaDenied === 'wait' ? { maxQuotaWaitMs } : {}),
    ...(onModelsUnavailable === undefined ? {} : { onModelsUnavailable }),
    ...(unavailableMessage === undefined ? {} : { unavailableMessage }),
    ...(onModelsUnavailable === 'wait' ? { maxUnavailableWaitMs } : {}),
    ...(maxDurationMs === undefined ? {} : { maxDurationMs }),
    ...(task.onFailure === 'compensate' ? { compensateOn: task.compensateOn ?? failedEndSchema.options } : {}),
  };
}
