import type { Logger } from 'pino';
import type { RunKey } from '../../contracts/ids.ts';
import type { AttemptRecord, Store, ToolCallRecord } from '../../domain/store/port.ts';
import type { RunTraces } from '../../telemetry/run-traces.ts';

/**
 * A store that writes a line to the log for each thing that is journalled: attempts, tool calls, gates, ends of runs. Lines have
 * ids, that of the run's trace among them, names and numbers, never what was said. What is reported twice has two lines; the
 * journal is what counts.
 */
export function loggedStore(store: Store, logger: Logger, traces: RunTraces): Store {
  const idsOf = async (runKey: RunKey) => ({ ...runKey, traceId: traces.of(runKey) ?? (await readTraceId(store, traces, runKey)) });
  const logCall = async (call: ToolCallRecord): Promise<ToolCallRecord> => {
    const line = { ...(await idsOf(call.runKey)), ...lineOfCall(call) };
    if (call.status === 'inDoubt' || call.status === 'failed') logger.warn(line, 'tool call');
    else logger.info(line, 'tool call');
    return call;
  };
  return {
    ...store,
    createRun: async (run) => {
      const created = await store.createRun(run);
      const { runKey, task, tenant, feature } = run;
      const traceId = traces.note(run);
      if (created === 'created') logger.info({ ...runKey, traceId, task, tenant, feature }, 'run started');
      return created;
    },
    endRun: async (runKey, end, steps) => {
      const holds = await store.endRun(runKey, end, steps);
      logger.info({ ...(await idsOf(runKey)), status: holds.status, ...(holds.failureType ? { failureType: holds.failureType } : {}), steps }, 'run ended');
      return holds;
    },
    reportAttempt: async (runKey, attemptId, report) => {
      const attempt = await store.reportAttempt(runKey, attemptId, report);
      const line = { ...(await idsOf(runKey)), ...lineOfAttempt(attempt) };
      if (attempt.outcome?.type === 'failed') logger.warn(line, 'attempt');
      else logger.info(line, 'attempt');
      return attempt;
    },
    recordSkip: async (skip) => {
      await store.recordSkip(skip);
      const { runKey, step, attemptId, model, reason } = skip;
      logger.warn({ ...(await idsOf(runKey)), step, attemptId, model, reason }, 'candidate passed over');
    },
    journalRead: async (...read) => logCall(await store.journalRead(...read)),
    finishToolCall: async (runKey, callKey, outcome) => logCall(await store.finishToolCall(runKey, callKey, outcome)),
    createGate: async (gate) => {
      const stored = await store.createGate(gate);
      const { runKey, approvalId, kind, status, tool } = stored;
      logger.info({ ...(await idsOf(runKey)), approvalId, kind, status, tool }, 'gate');
      return stored;
    },
    decideGate: async (runKey, approvalId, rule, audit) => {
      const answer = await store.decideGate(runKey, approvalId, rule, audit);
      if (answer) {
        const { type, gateStatus } = answer;
        logger.info({ ...(await idsOf(runKey)), approvalId, decision: type === 'refused' ? answer.reason : type, status: gateStatus }, 'decision');
      }
      return answer;
    },
    closeGate: async (runKey, approvalId, status) => {
      const holds = await store.closeGate(runKey, approvalId, status);
      logger.info({ ...(await idsOf(runKey)), approvalId, status: holds }, 'gate closed');
      return holds;
    },
  };
}

/** Once for a run of which this process knows nothing yet. No line is lost, and nothing fails, where the store does not answer. */
async function readTraceId(store: Store, traces: RunTraces, runKey: RunKey): Promise<string | undefined> {
  const run = await store.getRun(runKey).catch(() => null);
  return run ? traces.note(run) : undefined;
}

function lineOfAttempt({ step, attemptId, ordinal, model, provider, outcome, money, reservedAtMs, endedAtMs }: AttemptRecord) {
  return {
    step,
    attemptId,
    ordinal,
    model,
    provider,
    outcome: outcome?.type === 'failed' ? outcome.verdict.class : 'ok',
    ms: (endedAtMs ?? reservedAtMs) - reservedAtMs,
    money: money.status,
    ...(money.settledNanoUsd === null ? {} : { nanoUsd: money.settledNanoUsd }),
  };
}

function lineOfCall({ attemptId, callKey, tool, effect, status, isError, startedAtMs, endedAtMs }: ToolCallRecord) {
  return { attemptId, callKey, tool, effect, status, isError, ms: (endedAtMs ?? startedAtMs) - startedAtMs };
}
