import type { OpenGate, PinnedTask, PlannedCall, RunEnd, RunPosition, Unavailability } from '../../contracts/agent-run.ts';
import type { ScopeKind } from '../../contracts/budget.ts';
import { assertNever, invariant } from '../../contracts/failures.ts';
import { formatUsd } from '../budget/price.ts';
import { exhaustedBy, gateOfCall, runGate } from './position.ts';
import { isSkipped } from './repaired.ts';

/** What to open a gate for. */
export type GateSubject =
  | { readonly kind: 'action'; readonly callIndex: number }
  | { readonly kind: 'inDoubt'; readonly callIndex: number }
  | { readonly kind: 'budget' }
  | { readonly kind: 'unavailable' };

/** Between tries of models that are not available. */
const FIRST_UNAVAILABLE_WAIT_MS = 5_000;
const LONGEST_UNAVAILABLE_WAIT_MS = 600_000;

const SCOPES: Readonly<Record<ScopeKind, string>> = {
  run: 'the budget',
  parent: 'the budget of the run that it belongs to',
  tenant: "the tenant's quota",
  feature: "the feature's quota",
};

export type NextAction =
  | { readonly type: 'callModel'; readonly mode: 'step' | 'wrapUp'; readonly raisedBy?: OpenGate }
  /** A person decided what becomes of a run that no model answers. */
  | { readonly type: 'takeOver'; readonly gate: OpenGate }
  /** An operator holds the run; the gates that are open stay open. */
  | { readonly type: 'awaitResume' }
  /** Waits and tries the models again. */
  | { readonly type: 'waitForModels'; readonly waitMs: number }
  /** Several calls only where all of them read. */
  | { readonly type: 'executeTools'; readonly calls: readonly PlannedCall[] }
  /** Opens gates where `open` names any, else waits for a decision or an expiry. */
  | { readonly type: 'awaitApproval'; readonly open: readonly GateSubject[] }
  | { readonly type: 'finish'; readonly end: RunEnd };

/**
 * Decides what a run does next. Tool calls of a step are carried out in the order the model gave: reads that stand
 * together at once, everything else one by one. Gates of a step are opened as early as the limit allows, so that people
 * can decide while earlier calls run. `nowMs` is the workflow's clock.
 */
export function decideNextAction(position: RunPosition, task: PinnedTask, nowMs = 0): NextAction {
  if (position.paused) return { type: 'awaitResume' };
  if (position.end) return { type: 'finish', end: position.end };
  if (position.undoing) return nextUndoing(position, position.undoing.end, task);
  if (position.replyAttemptId !== null) return nextCall(position, task);
  if (isOutOfTime(position, task, nowMs)) return finish({ status: 'failed', failureType: 'timeLimitReached', message: timeMessage(task) });
  if (position.unavailable && !position.unavailable.isOver) return withoutModels(position, position.unavailable, task, nowMs);
  if (position.shortOfNanoUsd !== null) return short(position, position.shortOfNanoUsd, task);
  if (mayNotCorrect(position, task)) return finish({ status: 'failed', failureType: 'invalidOutput', message: invalidOutputMessage(position) });
  if (position.step > task.maxSteps) return finish({ status: 'failed', failureType: 'maxStepsReached', message: maxStepsMessage(task) });
  return { type: 'callModel', mode: 'step' };
}

/** Undoing goes on to its end, whatever becomes of one call: neither time nor budget nor a denial stops it. */
function nextUndoing(position: RunPosition, end: RunEnd, task: PinnedTask): NextAction {
  if (position.replyAttemptId === null) return finish(end);
  return nextCall(position, { ...task, onDenied: 'tellModel', onExpired: 'tellModel' });
}

/** Whether the last answer broke the output schema and may not be asked for again. */
function mayNotCorrect({ invalidOutput, step }: RunPosition, { maxOutputCorrections = 0, maxSteps }: PinnedTask): boolean {
  if (!invalidOutput || invalidOutput.message === null) return false;
  return invalidOutput.count > maxOutputCorrections || step > maxSteps;
}

function invalidOutputMessage({ invalidOutput }: RunPosition): string {
  const count = invalidOutput?.count ?? 0;
  return `The model's answer broke the output schema ${count === 1 ? 'once' : `${count} times`}. ${invalidOutput?.message}`;
}

/** How much longer the run may go on, on the workflow's clock; what it waits for people does not count. */
export function leftMs({ startedAtMs, waitedForPeopleMs = 0 }: RunPosition, { maxDurationMs }: PinnedTask, nowMs: number): number {
  return maxDurationMs === undefined || startedAtMs === undefined ? Number.POSITIVE_INFINITY : startedAtMs + maxDurationMs + waitedForPeopleMs - nowMs;
}

/** A run that waits for a person about its models or its budget is asked once they have decided. */
function isOutOfTime(position: RunPosition, task: PinnedTask, nowMs: number): boolean {
  return leftMs(position, task, nowMs) <= 0 && !position.gates.some(({ status }) => status === 'open');
}

function timeMessage({ maxDurationMs = 0 }: PinnedTask): string {
  return `The run took ${Math.round(maxDurationMs / 1_000)} s (limits.maxDurationMs), waits for people not counted, and had no answer yet.`;
}

function withoutModels(position: RunPosition, { message, sinceMs, tries, retryInMs }: Unavailability, task: PinnedTask, nowMs: number): NextAction {
  if (task.onModelsUnavailable === 'person') return askPerson(position, message);
  const left = sinceMs + (task.maxUnavailableWaitMs ?? 0) - nowMs;
  const waitMs = Math.max(retryInMs, Math.min(LONGEST_UNAVAILABLE_WAIT_MS, FIRST_UNAVAILABLE_WAIT_MS * 2 ** Math.min(tries - 1, 16)));
  if (waitMs <= Math.min(left, leftMs(position, task, nowMs))) return { type: 'waitForModels', waitMs };
  return finish({
    status: 'failed',
    failureType: 'modelsUnavailable',
    message: `${message} It was waited for as long as the task allows (limits.maxUnavailableWaitMs).`,
  });
}

function askPerson(position: RunPosition, message: string): NextAction {
  const gate = runGate(position, 'unavailable');
  if (!gate) return { type: 'awaitApproval', open: [{ kind: 'unavailable' }] };
  if (gate.status === 'open') return { type: 'awaitApproval', open: [] };
  if (gate.status === 'approved') return { type: 'takeOver', gate };
  const why = gate.status === 'expired' ? 'nobody decided in time what to do' : 'a person decided to leave it at that';
  return finish({ status: 'failed', failureType: 'modelsUnavailable', message: `${message} A person was asked, and ${why}.` });
}

function nextCall(position: RunPosition, task: PinnedTask): NextAction {
  // What an operator gave up is answered, and asks nobody.
  if (isSkipped(position)) return { type: 'executeTools', calls: position.calls.filter((call) => call.status !== 'done') };
  const toOpen = gatesToOpen(position, task);
  if (toOpen.length > 0) return { type: 'awaitApproval', open: toOpen };

  const pending = position.calls.filter((call) => call.status !== 'done');
  const first = pending[0];
  invariant(first, `step ${position.step} has a call to carry out`);
  switch (first.effect) {
    case 'read':
      return { type: 'executeTools', calls: leadingReads(pending) };
    case 'write':
      return { type: 'executeTools', calls: [first] };
    case 'irreversible':
      return gatedCall(position, first, task);
    default:
      return assertNever(first.effect);
  }
}

function leadingReads(pending: readonly PlannedCall[]): readonly PlannedCall[] {
  const end = pending.findIndex((call) => call.effect !== 'read');
  return end === -1 ? pending : pending.slice(0, end);
}

function gatesToOpen(position: RunPosition, task: PinnedTask): readonly GateSubject[] {
  const room = task.maxPendingApprovals - position.gates.length;
  const ungated = position.calls.filter((call) => call.effect === 'irreversible' && call.status === 'planned');
  return ungated.slice(0, Math.max(0, room)).map((call) => ({ kind: 'action', callIndex: call.callIndex }));
}

function gatedCall(position: RunPosition, call: PlannedCall, task: PinnedTask): NextAction {
  const gate = gateOfCall(position, call.callIndex);
  invariant(gate, `irreversible call ${call.callIndex} of step ${position.step} has a gate`);
  if (gate.kind === 'inDoubt') return gate.status === 'open' ? { type: 'awaitApproval', open: [] } : { type: 'executeTools', calls: [call] };
  switch (gate.status) {
    case 'open':
      return { type: 'awaitApproval', open: [] };
    case 'denied':
      if (task.onDenied === 'endRun') return finish({ status: 'denied', message: `A person denied "${call.tool}", and the task ends there.` });
      return { type: 'executeTools', calls: [call] };
    case 'expired':
      if (task.onExpired === 'endRun') return finish({ status: 'expired', message: `Nobody decided on "${call.tool}" in time, and the task ends there.` });
      return { type: 'executeTools', calls: [call] };
    default:
      return { type: 'executeTools', calls: [call] };
  }
}

function short(position: RunPosition, neededNanoUsd: number, task: PinnedTask): NextAction {
  const { shortOfScope } = position;
  const message = shortMessage(position, neededNanoUsd);
  const exhausted = (more = '') => finish({ status: 'budgetExhausted', message: `${message}${more}`, exhausted: exhaustedBy(position) });
  if (position.wrappingUp) return exhausted(' It does not pay for a last answer either.');
  switch (task.onBudgetExhausted) {
    case 'fail':
      return exhausted();
    case 'wrapUp':
      return { type: 'callModel', mode: 'wrapUp' };
    case 'ask':
      return shortOfScope === undefined || shortOfScope === 'run' ? askForMore(position, message) : exhausted();
    default:
      return assertNever(task.onBudgetExhausted);
  }
}

function shortMessage({ shortOfScope, shortOfTokens, shortOfQuota }: RunPosition, neededNanoUsd: number): string {
  const amount = shortOfTokens === undefined ? `cost ${formatUsd(neededNanoUsd)} USD` : `take ${shortOfTokens} tokens`;
  const whose = shortOfQuota ?? (shortOfScope === undefined ? 'the budget' : SCOPES[shortOfScope]);
  return `The next model call may ${amount}, which is more than is left of ${whose}.`;
}

function askForMore(position: RunPosition, message: string): NextAction {
  const gate = runGate(position, 'budget');
  if (!gate) return { type: 'awaitApproval', open: [{ kind: 'budget' }] };
  if (gate.status === 'open') return { type: 'awaitApproval', open: [] };
  if (gate.status === 'approved') return { type: 'callModel', mode: 'step', raisedBy: gate };
  const why = gate.status === 'expired' ? 'nobody raised it in time' : 'raising it was denied';
  return finish({ status: 'budgetExhausted', message: `${message} It was asked for more, and ${why}.`, exhausted: exhaustedBy(position) });
}

function maxStepsMessage(task: PinnedTask): string {
  return `The run took ${task.maxSteps} steps (limits.maxSteps) and the model still asked for more. Raise the limit or look at what it repeats with "tollgate runs show".`;
}

function finish(end: RunEnd): NextAction {
  return { type: 'finish', end };
}
