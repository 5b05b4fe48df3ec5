import type { DecisionAnswer, GateStatus } from '../../../contracts/approval.ts';
import type { RunKey } from '../../../contracts/ids.ts';
import type { GateRecord } from '../../../domain/approval/gate.ts';
import type { Store, ToolCallRecord } from '../../../domain/store/port.ts';
import type { Metrics } from '../../../telemetry/metrics.ts';
import { GEN_AI, METRIC, METRIC_LABEL, OPERATION, TOLLGATE } from '../../../telemetry/names.ts';
import { nameOf, type RunFacts } from './metered-runs.ts';
import { orNull, quietly } from './quietly.ts';
import { Remembered } from './remembered.ts';

const REMEMBERED_GATES = 10_000;
const REMEMBERED_CALLS = 10_000;

type GatesPart = Pick<Store, 'createGate' | 'decideGate' | 'closeGate' | 'withdrawGatesExcept'>;

interface SeenDecision {
  readonly before?: GateRecord;
  readonly after?: GateRecord | null;
  readonly nowMs: number;
}

/** Counts gates as they open and as they end, and the decisions that people send. */
export function meteredGates(store: Store, metrics: Metrics, facts: RunFacts): GatesPart {
  const opened = new Remembered<true>(REMEMBERED_GATES);
  const ended = new Remembered<true>(REMEMBERED_GATES);

  async function countEnd(gate: GateRecord, status: GateStatus, atMs: number): Promise<void> {
    if (!ended.isFirst(`${nameOf(gate.runKey)} ${gate.approvalId} ${status}`)) return;
    const labels = { ...(await facts.labels(gate.runKey)), [TOLLGATE.gateKind]: gate.kind, [TOLLGATE.gateStatus]: status };
    metrics.count(METRIC.gatesEnded, 1, labels);
    metrics.record(METRIC.gateWait, Math.max(0, atMs - gate.createdAtMs) / 1_000, labels);
  }

  async function countDecision(runKey: RunKey, answer: DecisionAnswer, { before, after, nowMs }: SeenDecision): Promise<void> {
    const decision = answer.type === 'refused' ? answer.reason : answer.type;
    metrics.count(METRIC.decisions, 1, { ...(await facts.labels(runKey)), [METRIC_LABEL.decision]: decision });
    if (before?.status === 'open' && after && after.status !== 'open') await countEnd(before, after.status, nowMs);
  }

  return {
    createGate: async (gate) => {
      const stored = await store.createGate(gate);
      const isNew = stored.createdAtMs === gate.createdAtMs && opened.isFirst(`${nameOf(gate.runKey)} ${gate.approvalId}`);
      if (isNew) quietly(async () => metrics.count(METRIC.gatesOpened, 1, { ...(await facts.labels(gate.runKey)), [TOLLGATE.gateKind]: gate.kind }));
      return stored;
    },
    decideGate: async (runKey, approvalId, rule, audit) => {
      const seen: SeenDecision = { nowMs: 0 };
      const watched: typeof rule = (gate, nowMs) => {
        const transition = rule(gate, nowMs);
        Object.assign(seen, { before: gate, after: transition.gate, nowMs });
        return transition;
      };
      const answer = await store.decideGate(runKey, approvalId, watched, audit);
      if (answer) quietly(() => countDecision(runKey, answer, seen));
      return answer;
    },
    closeGate: async (runKey, approvalId, status) => {
      const gate = await orNull(store.getGate(runKey, approvalId));
      const holds = await store.closeGate(runKey, approvalId, status);
      // An approval that was not used has ended its wait before.
      if (gate?.status === 'open' && holds === status) quietly(async () => countEnd(gate, status, await store.nowMs()));
      return holds;
    },
    withdrawGatesExcept: async (runKey, live) => {
      const withdrawn = await store.withdrawGatesExcept(runKey, live);
      quietly(async () => {
        for (const approvalId of withdrawn) {
          const gate = await store.getGate(runKey, approvalId);
          if (gate && gate.decidedAtMs === null) await countEnd(gate, 'withdrawn', await store.nowMs());
        }
      });
      return withdrawn;
    },
  };
}

type CallsPart = Pick<Store, 'journalRead' | 'finishToolCall'>;

/** Counts tool calls by what came of them; one that was in doubt and then known counts as both. */
export function meteredCalls(store: Store, metrics: Metrics, facts: RunFacts): CallsPart {
  const counted = new Remembered<true>(REMEMBERED_CALLS);
  const countCall = async (call: ToolCallRecord) => {
    const labels = { ...(await facts.labels(call.runKey)), [GEN_AI.toolName]: call.tool };
    const outcome = call.status === 'done' && call.isError ? 'error' : call.status;
    metrics.count(METRIC.toolCalls, 1, { ...labels, [TOLLGATE.effect]: call.effect, [TOLLGATE.toolStatus]: outcome });
    const seconds = Math.max(0, (call.endedAtMs ?? call.startedAtMs) - call.startedAtMs) / 1_000;
    metrics.record(METRIC.toolDuration, seconds, { ...labels, [GEN_AI.operation]: OPERATION.executeTool });
  };
  const count = (call: ToolCallRecord) => {
    if (call.status !== 'intent' && counted.isFirst(`${nameOf(call.runKey)} ${call.callKey} ${call.status}`)) quietly(() => countCall(call));
    return call;
  };
  return {
    journalRead: async (...read) => count(await store.journalRead(...read)),
    finishToolCall: async (runKey, callKey, outcome) => count(await store.finishToolCall(runKey, callKey, outcome)),
  };
}
