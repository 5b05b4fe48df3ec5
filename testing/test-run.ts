import type { BillEntry } from '../adapters/providers/simulated/bill.ts';
import type { AgentClient } from '../client/agent-client.ts';
import type { DecisionResult, Identity } from '../client/decision.ts';
import { type GateReport, reportGate } from '../client/gate-report.ts';
import { type RunReport, reportRun } from '../client/run-report.ts';
import type { OutputOf, RunOutcome } from '../client/run-result.ts';
import type { StartableTask } from '../client/known-task.ts';
import type { ToolCallReport } from '../client/step-report.ts';
import type { LedgerTotals } from '../contracts/budget.ts';
import { TollgateError } from '../contracts/failures.ts';
import type { AgentRunId, RunKey } from '../contracts/ids.ts';
import type { RunRecord, Store } from '../domain/store/port.ts';
import type { ApproverLoop, ClientOf } from './approver.ts';
import { moneyProblems } from './money.ts';

const LOOK_INTERVAL_MS = 30;
const DEFAULT_TIMEOUT_MS = 30_000;
const MAX_CHILDREN = 1_000;
/** What a tool call can still be at while its step goes on. */
const UNDER_WAY = ['planned', 'awaitingApproval', 'running', 'inDoubt'];
const DEFAULT_PERSON: Identity = { name: 'tester', roles: ['*'] };

/** What a run of the environment needs of it. */
export interface RunSurroundings {
  readonly store: Store;
  readonly client: AgentClient;
  readonly clientOf: ClientOf;
  readonly approver: ApproverLoop;
  bill(): readonly BillEntry[];
}

export interface WaitOptions {
  /** Milliseconds, 30,000 by default; then the error says where the run stands. */
  readonly timeoutMs?: number;
}

/** A tool call of a run, in the order in which the model asked. */
export interface TestToolCall extends ToolCallReport {
  readonly step: number;
}

/** A run that a test has started: waits for what it does, decides at its gates, and reads what happened. */
export class TestRun<Task extends StartableTask = StartableTask> {
  readonly agentRunId: AgentRunId;
  readonly #task: Task;
  readonly #around: RunSurroundings;

  /** @internal */
  constructor(agentRunId: AgentRunId, task: Task, around: RunSurroundings) {
    this.agentRunId = agentRunId;
    this.#task = task;
    this.#around = around;
  }

  /** Waits for the end. Also a run that failed is an answer. */
  async ended(options: WaitOptions = {}): Promise<RunOutcome<OutputOf<Task>>> {
    await this.#until('its end', options, async () => (await this.#record())?.endedAtMs ?? null);
    return await this.#around.client.result(this.agentRunId, this.#task);
  }

  /** Waits for a gate that is open, of one tool where it is named. */
  async gate({ tool, ...options }: WaitOptions & { readonly tool?: string } = {}): Promise<GateReport> {
    return await this.#until(tool === undefined ? 'an open gate' : `an open gate of "${tool}"`, options, async () => {
      const open = (await this.#openGates()).filter((gate) => tool === undefined || gate.tool === tool);
      const followed = open.length === 0 ? [] : ((await this.#around.client.describe(this.agentRunId)).view?.gates ?? []);
      // The store has a gate before the run waits at it.
      return open.find(({ approvalId }) => followed.some((gate) => gate.approvalId === approvalId)) ?? null;
    });
  }

  /** Approves what this gate shows, as somebody who holds every role unless another person is named. */
  async approve(gate: GateReport, as: Identity = DEFAULT_PERSON): Promise<DecisionResult> {
    return await this.#around.clientOf(as).approve(gate.approvalId, { actionDigest: gate.actionDigest, agentRunId: this.agentRunId });
  }

  async deny(gate: GateReport, reason: string, as: Identity = DEFAULT_PERSON): Promise<DecisionResult> {
    return await this.#around.clientOf(as).deny(gate.approvalId, { actionDigest: gate.actionDigest, agentRunId: this.agentRunId, reason });
  }

  /** Waits until this step's model has answered and its tool calls have ended: the place between two steps. */
  async step(step: number, options: WaitOptions = {}): Promise<void> {
    await this.#until(`the end of step ${step}`, options, async () => {
      const report = await this.#report();
      const found = report?.steps.find((candidate) => candidate.step === step);
      const isAnswered = found?.attempts.some((attempt) => attempt.outcome === 'ok') ?? false;
      const hasNext = report?.steps.some((candidate) => candidate.step > step) ?? false;
      return isAnswered && (hasNext || found?.toolCalls.every(({ status }) => !UNDER_WAY.includes(status))) ? true : null;
    });
  }

  /** Asks the run to stop. */
  async cancel(): Promise<void> {
    await this.#around.client.cancel(this.agentRunId);
  }

  /** What `tollgate runs show --json` prints: steps, attempts, gates, ledger. */
  async report(): Promise<RunReport> {
    const report = await this.#report();
    if (report) return report;
    throw new TollgateError('notFound', `The run "${this.agentRunId}" has not reached the store yet. Wait for a gate, a step or the end first.`);
  }

  /** Every tool call that the model asked for, with what came of it; one that never ran has a status that says why. */
  async toolCalls(): Promise<readonly TestToolCall[]> {
    return (await this.report()).steps.flatMap(({ step, toolCalls }) => toolCalls.map((toolCall) => ({ step, ...toolCall })));
  }

  /** Every gate that was opened, oldest first. */
  async gates(): Promise<readonly GateReport[]> {
    return (await this.report()).gates;
  }

  /** The run's ledger, in integer nano-USD. */
  async ledger(): Promise<LedgerTotals> {
    const run = await this.#record();
    const ledger = run && (await this.#around.store.getLedger(run.runKey));
    if (ledger) return ledger;
    throw new TollgateError('notFound', `The run "${this.agentRunId}" has no ledger yet. Wait for a gate, a step or the end first.`);
  }

  /** What the scripted model's provider charged for this run and the children that spend its money: their lines of the bill. */
  async bill(): Promise<readonly BillEntry[]> {
    const run = await this.#record();
    const attempts = new Set(run ? await attemptsOf(this.#around.store, run.runKey) : []);
    return this.#around.bill().filter((entry) => attempts.has(String(entry.clientRequestId)));
  }

  /** Compares the ledger with the bill; empty where settled ≤ bill ≤ settled + held and all of it is within the limit. */
  async moneyProblems(): Promise<readonly string[]> {
    return moneyProblems(await this.ledger(), await this.bill());
  }

  /** @internal A gate that stays open because the approver does not decide on it, in a sentence; null where there is none. */
  async stuck(): Promise<string | null> {
    for (const { approvalId, tool } of await this.#openGates()) {
      const why = this.#around.approver.whyLeft(approvalId);
      if (why !== null) return `It waits at a gate for "${tool}". ${why}`;
    }
    return null;
  }

  async #openGates(): Promise<readonly GateReport[]> {
    const run = await this.#record();
    return run ? (await this.#around.store.listGates({ runKey: run.runKey, status: 'open', limit: 100 })).map(reportGate) : [];
  }

  async #report(): Promise<RunReport | null> {
    const run = await this.#record();
    return run && (await reportRun(this.#around.store, run));
  }

  async #record(): Promise<RunRecord | null> {
    return await this.#around.store.latestRun(this.agentRunId);
  }

  async #until<T>(what: string, { timeoutMs = DEFAULT_TIMEOUT_MS }: WaitOptions, look: () => Promise<T | null>): Promise<T> {
    const deadlineMs = Date.now() + timeoutMs;
    for (;;) {
      this.#around.approver.check();
      const isOver = (await this.#record())?.endedAtMs != null;
      const found = await look();
      if (found !== null) return found;
      if (isOver) throw new Error(`The run "${this.agentRunId}" ended without ${what}: ${(await this.#record())?.end?.message}`);
      if (Date.now() > deadlineMs) throw await this.#timeout(what, timeoutMs);
      await new Promise((resolve) => setTimeout(resolve, LOOK_INTERVAL_MS));
    }
  }

  async #timeout(what: string, timeoutMs: number): Promise<Error> {
    const report = await this.#report();
    if (!report) return new Error(`Waited ${timeoutMs} ms for ${what} of run "${this.agentRunId}", which no worker has begun.`);
    const gates = report.gates.filter(({ status }) => status === 'open').map(({ tool }) => tool);
    const waits = gates.length > 0 ? ` It waits at a gate for ${gates.join(', ')}.` : '';
    return new Error(`Waited ${timeoutMs} ms for ${what} of run "${this.agentRunId}", which is ${report.status} after ${report.steps.length} steps.${waits}`);
  }
}

async function attemptsOf(store: Store, runKey: RunKey): Promise<readonly string[]> {
  const own = (await store.listAttempts(runKey)).map(({ attemptId }) => String(attemptId));
  const children = await store.listRuns({ parent: runKey, limit: MAX_CHILDREN });
  return [...own, ...(await Promise.all(children.map((child) => attemptsOf(store, child.runKey)))).flat()];
}
