import { setCurrentDetails, upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import type { AgentRunInput, AgentRunStatus, CarriedState, PinnedTask, RunPosition, RunStatusView } from '../../contracts/agent-run.ts';
import { invariant } from '../../contracts/failures.ts';
import type { AgentRunId, RunKey } from '../../contracts/ids.ts';
import { emptyLedger, ZERO_NANO_USD } from '../../domain/budget/ledger.ts';
import { describeRun, searchAttributeValues } from '../../domain/agent-run/description.ts';
import { countTurn, NO_TURNS } from '../../domain/agent-run/turns.ts';
import { messageRoom } from '../../domain/agent-run/user-message.ts';
import { Mailbox } from './messages.ts';

/** A run in memory: its pinned task, its position, and what operators see of both. */
export class RunState {
  readonly runKey: RunKey;
  readonly start: AgentRunInput;
  readonly mailbox: Mailbox;
  /** Whether the run continues as new by itself, also while it waits at a gate. A workflow of one's own says when. */
  carriesOn = false;
  /** Children started and not yet ended. */
  childrenInFlight = 0;
  /** Repairs that are being made; until they are, nothing new begins. */
  repairsUnderWay = 0;
  /** Questions at gates that the model is asked, or is about to be asked. */
  answersUnderWay = 0;
  readonly #questionIds = new Set<string>();
  #task: PinnedTask | null;
  #position: RunPosition | null;
  #published = '';
  #turns = NO_TURNS;

  constructor(start: AgentRunInput) {
    const { workflowId, firstExecutionRunId } = workflowInfo();
    this.runKey = { agentRunId: workflowId as AgentRunId, firstExecutionRunId };
    this.start = start;
    this.mailbox = new Mailbox(start.carried?.messageIds ?? []);
    this.#task = start.carried?.pinned ?? null;
    this.#position = start.carried?.position ?? null;
  }

  get isPinned(): boolean {
    return this.#task !== null;
  }

  get task(): PinnedTask {
    invariant(this.#task, 'the task is pinned before the loop starts');
    return this.#task;
  }

  get position(): RunPosition {
    invariant(this.#position, 'the run has a position before the loop starts');
    return this.#position;
  }

  /** Whether the run must begin nothing new now. */
  get isHeld(): boolean {
    return this.repairsUnderWay > 0 || this.#position?.paused !== undefined;
  }

  pin(task: PinnedTask, position: RunPosition): void {
    this.#task = task;
    this.#position = position;
  }

  /** Replaces the position by what a pure function of `domain/agent-run/position.ts` makes of it. */
  move(change: (position: RunPosition) => RunPosition): void {
    this.#position = change(this.position);
    this.describe();
  }

  /** Counts a turn of the loop. @throws where it turns without end. */
  countTurn(): void {
    this.#turns = countTurn(this.#turns, workflowInfo().historyLength);
  }

  /** Whether the model is to be asked this question: it is once, however often it is sent. */
  takeQuestion(questionId: string): boolean {
    if (this.#questionIds.has(questionId)) return false;
    this.#questionIds.add(questionId);
    return true;
  }

  carry(): CarriedState {
    const { takenIds } = this.mailbox;
    return { version: 1, pinned: this.task, position: this.position, ...(takenIds.length > 0 ? { messageIds: takenIds } : {}) };
  }

  view(): RunStatusView {
    const position = this.#position;
    return {
      version: 1,
      status: this.status,
      task: this.start.task.name,
      step: position?.step ?? 0,
      maxSteps: this.#task?.maxSteps ?? 0,
      model: position?.lastModel ?? null,
      ledger: position?.ledger ?? emptyLedger(ZERO_NANO_USD),
      gates: position?.gates ?? [],
      messageRoom: this.messageRoom,
      ...(position?.paused ? { paused: position.paused } : {}),
      ...preferredModel(position, this.#task),
    };
  }

  /** How many more messages the run takes now. */
  get messageRoom(): number {
    const pending = this.mailbox.waiting + (this.#position?.messageNodeIds?.length ?? 0);
    return messageRoom(this.mailbox.takenIds.length, pending, this.#task ?? {});
  }

  get status(): AgentRunStatus {
    const position = this.#position;
    if (position?.paused) return 'paused';
    if (position?.end) return position.end.status;
    return position?.gates.some((gate) => gate.status === 'open') ? 'awaitingApproval' : 'running';
  }

  /** Shows the run as Markdown in the Temporal UI. Costs no event. */
  describe(): void {
    setCurrentDetails(describeRun(this.view()));
  }

  /**
   * Writes the search attributes that this run was started with, where what they show has changed in kind: an upsert is
   * an event, so spend and model ride along with a change of status and are not worth one of their own.
   */
  publish(): void {
    const status = this.status;
    if (status === this.#published) return;
    this.#published = status;
    const present = new Set(
      workflowInfo()
        .typedSearchAttributes.getAll()
        .map((pair) => pair.key.name),
    );
    const updates = searchAttributeValues(this.view()).filter((pair) => present.has(pair.key.name));
    if (updates.length > 0) upsertSearchAttributes(updates);
  }
}

function preferredModel(position: RunPosition | null, task: PinnedTask | null): Pick<RunStatusView, 'preferredModel'> {
  const model = position?.preferredCandidate === undefined ? undefined : task?.models[position.preferredCandidate];
  return model === undefined ? {} : { preferredModel: model };
}
