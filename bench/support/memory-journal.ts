import type { LedgerTotals } from '../../contracts/budget.ts';
import type { TranscriptHead } from '../../contracts/agent-run.ts';
import { invariant } from '../../contracts/failures.ts';
import type { RunKey } from '../../contracts/ids.ts';
import type { TranscriptMessage } from '../../contracts/model.ts';
import { addDelta, applyLedgerEvent, fits, reservationDelta } from '../../domain/budget/ledger.ts';
import type { AttemptRecord, LoadedTranscript, Store, ToolCallRecord } from '../../domain/store/port.ts';

interface RunMemory {
  readonly attempts: Map<string, AttemptRecord>;
  readonly nodes: Map<string, TranscriptMessage>;
  readonly calls: Map<string, ToolCallRecord>;
  ledger: LedgerTotals;
}

/**
 * A store whose attempts, tool calls and transcript are kept in the worker's memory and nowhere else: what is left of a step
 * when nothing is written down. For benchmarks with one worker that nobody kills; runs, contents and gates stay in `store`.
 */
export function withoutJournal(store: Store): Store {
  const runs = new Map<string, Promise<RunMemory>>();
  const memoryOf = (runKey: RunKey): Promise<RunMemory> => {
    const key = `${runKey.agentRunId} ${runKey.firstExecutionRunId}`;
    const memory = runs.get(key) ?? newMemory(store, runKey);
    runs.set(key, memory);
    return memory;
  };
  const begin = async (call: Parameters<Store['beginToolCall']>[0], outcome: Partial<ToolCallRecord> = {}) => {
    const { calls } = await memoryOf(call.runKey);
    const there = calls.get(call.callKey);
    if (there) return { type: 'exists', call: there } as const;
    const row: ToolCallRecord = {
      ...call,
      status: 'intent',
      result: null,
      isError: false,
      recordedLine: null,
      startedAtMs: Date.now(),
      endedAtMs: null,
      ...outcome,
    };
    calls.set(call.callKey, row);
    return { type: 'begun', call: row } as const;
  };
  const journal: Partial<Store> = {
    putNode: async (runKey, nodeId, message) => {
      const { nodes } = await memoryOf(runKey);
      if (!nodes.has(nodeId)) nodes.set(nodeId, message);
    },
    loadTranscript: async (runKey, head) => walk(await memoryOf(runKey), head),
    reserveAttempt: async (attempt) => {
      const memory = await memoryOf(attempt.runKey);
      const there = memory.attempts.get(attempt.attemptId);
      if (there) return { type: 'exists', attempt: there };
      invariant(fits(memory.ledger, attempt.reservedNanoUsd, attempt.setAsideNanoUsd), 'a benchmark has the budget that it needs');
      const row: AttemptRecord = {
        ...attempt,
        money: { status: 'held', reservedNanoUsd: attempt.reservedNanoUsd, settledNanoUsd: null },
        outcome: null,
        reply: null,
        usage: null,
        responseId: null,
        providerRequestId: null,
        reservedAtMs: Date.now(),
        endedAtMs: null,
        writeOffReason: null,
      };
      memory.attempts.set(attempt.attemptId, row);
      memory.ledger = addDelta(memory.ledger, reservationDelta(attempt.reservedNanoUsd));
      return { type: 'reserved', attempt: row, ledger: memory.ledger };
    },
    getAttempt: async (runKey, attemptId) => (await memoryOf(runKey)).attempts.get(attemptId) ?? null,
    listAttempts: async (runKey) => [...(await memoryOf(runKey)).attempts.values()],
    findReply: async () => null,
    setProviderRequestId: async () => undefined,
    reportAttempt: async (runKey, attemptId, report) => {
      const memory = await memoryOf(runKey);
      const before = memory.attempts.get(attemptId);
      invariant(before, `attempt ${attemptId} was reserved`);
      const transition = report.money ? applyLedgerEvent(before.money, report.money) : null;
      const money = transition?.type === 'changed' ? transition.entry : before.money;
      if (transition?.type === 'changed') memory.ledger = addDelta(memory.ledger, transition.delta);
      const row: AttemptRecord = { ...before, money, outcome: report.outcome, reply: report.reply ?? null, usage: report.usage ?? null, endedAtMs: Date.now() };
      memory.attempts.set(attemptId, row);
      return row;
    },
    getLedger: async (runKey) => (await memoryOf(runKey)).ledger,
    beginToolCall: (call) => begin(call),
    journalRead: async (call, { status, result, isError, message }) => {
      const { call: row } = await begin(call, { status, result, isError, endedAtMs: Date.now() });
      if (message) (await memoryOf(call.runKey)).nodes.set(call.callKey, message);
      return row;
    },
    finishToolCall: async (runKey, callKey, { status, result, isError, message }) => {
      const { calls, nodes } = await memoryOf(runKey);
      const before = calls.get(callKey);
      invariant(before, `call ${callKey} was begun`);
      const row: ToolCallRecord = { ...before, status, result, isError, endedAtMs: Date.now() };
      calls.set(callKey, row);
      if (message) nodes.set(callKey, message);
      return row;
    },
    getToolCall: async (runKey, callKey) => (await memoryOf(runKey)).calls.get(callKey) ?? null,
    listToolCalls: async (runKey) => [...(await memoryOf(runKey)).calls.values()],
  };
  return new Proxy(store, {
    get(target, name) {
      const own = journal[name as keyof Store] ?? Reflect.get(target, name, target);
      return typeof own === 'function' ? own.bind(target) : own;
    },
  });
}

async function newMemory(store: Store, runKey: RunKey): Promise<RunMemory> {
  const ledger = await store.getLedger(runKey);
  invariant(ledger, `run ${runKey.agentRunId} has a ledger`);
  return { attempts: new Map(), nodes: new Map(), calls: new Map(), ledger };
}

/** Follows each reply to the head it was asked from, as the stores do. */
function walk({ attempts, nodes }: RunMemory, newest: TranscriptHead): LoadedTranscript {
  const backwards: TranscriptMessage[] = [];
  for (let head: TranscriptHead | null = newest; head; ) {
    for (const nodeId of head.nodeIds.toReversed()) {
      const node = nodes.get(nodeId);
      if (!node) return { type: 'missing', what: nodeId };
      backwards.push(node);
    }
    const asked: AttemptRecord | undefined = head.attemptId === null ? undefined : attempts.get(head.attemptId);
    if (asked?.reply) backwards.push({ role: 'assistant', text: asked.reply.text, toolCalls: asked.reply.toolCalls });
    head = asked?.head ?? null;
  }
  return { type: 'transcript', messages: backwards.reverse() };
}
