import type { AgentRunEndStatus, CompensationReport, PinnedTask } from '../../contracts/agent-run.ts';
import type { JsonObject, JsonValue } from '../../contracts/json.ts';
import type { CompensationSource } from '../../contracts/task.ts';
import type { Effect, ToolCallStatus } from '../../contracts/tool.ts';

/** Begins the id of a plan, which stands where the attempt of an accepted reply stands elsewhere. */
export const PLAN_PREFIX = 'undo:';

/** Calls of one plan. The oldest actions of a run that did more are left, and said to be. */
const MAX_UNDONE = 128;
/** Of each list of a report, which travels through history. */
const MAX_NAMED = 20;
const MAX_REASON_LENGTH = 200;

/** Whether completed actions of a run that ends like this are undone. */
export function isUndoneOn(task: Pick<PinnedTask, 'compensateOn'>, status: AgentRunEndStatus): boolean {
  return status !== 'completed' && (task.compensateOn?.includes(status) ?? false);
}

/** An action of the run whose tool declares how it is undone. */
export interface Compensable {
  readonly callKey: string;
  readonly tool: string;
  readonly effect: Effect;
  readonly status: ToolCallStatus;
  readonly isError: boolean;
  /** What undoes it, or why that can't be said. */
  readonly by: Undo | { readonly problem: string };
}

export interface Undo {
  readonly tool: string;
  readonly arguments: JsonObject;
  /** As the journal has it: equal for the same arguments. */
  readonly argumentsDigest: string;
}

/** A completed call of the run. */
export interface CompletedCall {
  readonly callKey: string;
  readonly tool: string;
  readonly argumentsDigest: string;
}

export interface LeftAction {
  readonly callKey: string;
  readonly tool: string;
  readonly reason: string;
}

export interface CompensationPlan {
  /** The last action first. */
  readonly undo: readonly { readonly callKey: string; readonly tool: string; readonly by: Undo }[];
  readonly left: readonly LeftAction[];
}

/**
 * How a run's actions are undone: the last one first, each once. What the run has undone itself, or an earlier plan has, is not
 * undone again; what nobody knows about, or can't be undone, is left with a reason. Both lists oldest first.
 */
export function planCompensation(actions: readonly Compensable[], completed: readonly CompletedCall[]): CompensationPlan {
  const undo: CompensationPlan['undo'][number][] = [];
  const left: LeftAction[] = [];
  const used = new Set<string>();
  for (const { callKey, tool, effect, status, isError, by } of actions.toReversed()) {
    const leave = (reason: string) => left.push({ callKey, tool, reason });
    const failed = status === 'failed' || isError;
    if (status === 'intent' || status === 'inDoubt') leave('whether it happened is not known');
    // An irreversible action that failed is known not to have happened; a write is repeated until its error is given to the model.
    else if (failed && effect === 'write') leave('it failed, and whether something of it happened is not known');
    else if (failed) continue;
    else if ('problem' in by) leave(by.problem);
    else {
      const at = completed.findIndex((call) => call.callKey === callKey);
      const done = completed.find(
        (call, index) => index > at && !used.has(call.callKey) && call.tool === by.tool && call.argumentsDigest === by.argumentsDigest,
      );
      if (done) used.add(done.callKey);
      else if (undo.length >= MAX_UNDONE) leave(`a run undoes at most ${MAX_UNDONE} actions`);
      else undo.push({ callKey, tool, by });
    }
  }
  return { undo, left };
}

/** The arguments of a compensating call, by a task's mapping. Names what is not there instead of leaving it out. */
export function mapArguments(
  mapping: Readonly<Record<string, CompensationSource>>,
  args: JsonObject,
  result: JsonValue,
): { readonly type: 'arguments'; readonly arguments: JsonObject } | { readonly type: 'missing'; readonly places: readonly string[] } {
  const places: string[] = [];
  const mapped = Object.entries(mapping).map(([name, { from, value }]): [string, JsonValue] => {
    if (from === undefined) return [name, value ?? null];
    const found = valueAt({ arguments: args, result }, from);
    if (found === undefined) places.push(from);
    return [name, found ?? null];
  });
  return places.length > 0 ? { type: 'missing', places } : { type: 'arguments', arguments: Object.fromEntries(mapped) };
}

function valueAt(all: JsonObject, place: string): JsonValue | undefined {
  return place
    .split('.')
    .reduce<JsonValue | undefined>(
      (inner, key) => (typeof inner === 'object' && inner !== null && Object.hasOwn(inner, key) ? (inner as Record<string, JsonValue>)[key] : undefined),
      all,
    );
}

/** What became of one call of a plan. */
export type UndoOutcome =
  | { readonly type: 'done' }
  | { readonly type: 'failed'; readonly message: string }
  | { readonly type: 'unknown' }
  | { readonly type: 'stopped'; readonly gateStatus: string }
  | { readonly type: 'notTried' };

/** What a plan came to. `outcomes` are those of `plan.undo`, by place. */
export function concludeCompensation(plan: CompensationPlan, outcomes: readonly UndoOutcome[]): CompensationReport {
  const undone = plan.undo.filter((_, index) => outcomes[index]?.type === 'done').map(({ tool, by }) => ({ tool, by: by.tool }));
  const failed = plan.undo.flatMap(({ tool, by }, index) => {
    const reason = reasonOf(by.tool, outcomes[index] ?? { type: 'notTried' });
    return reason === null ? [] : [{ tool, reason }];
  });
  const left = [...failed, ...plan.left].map(({ tool, reason }) => ({ tool, reason: reason.slice(0, MAX_REASON_LENGTH) }));
  return { undone: undone.slice(0, MAX_NAMED), left: left.slice(0, MAX_NAMED), undoneCount: undone.length, leftCount: left.length };
}

function reasonOf(by: string, outcome: UndoOutcome): string | null {
  switch (outcome.type) {
    case 'done':
      return null;
    case 'failed':
      return `${by} failed: ${outcome.message}`;
    case 'unknown':
      return `whether ${by} happened is not known`;
    case 'stopped':
      return outcome.gateStatus === 'denied' ? `a person denied ${by}` : `${by} was not approved (${outcome.gateStatus})`;
    case 'notTried':
      return `${by} was not tried`;
  }
}

/** A report in words, for the end of a run. */
export function compensationInWords({ undone, left, undoneCount, leftCount }: CompensationReport): string {
  if (undoneCount + leftCount === 0) return 'There was nothing to undo.';
  const names = undone.map(({ tool, by }) => `${tool} by ${by}`).join(', ');
  const done = undoneCount === 0 ? 'Nothing was undone.' : `Undone: ${names}${undoneCount > undone.length ? ` and ${undoneCount - undone.length} more` : ''}.`;
  if (leftCount === 0) return done;
  const reasons = left.map(({ tool, reason }) => `${tool} (${reason})`).join('; ');
  return `${done} NOT undone: ${reasons}${leftCount > left.length ? `; and ${leftCount - left.length} more` : ''}.`;
}
