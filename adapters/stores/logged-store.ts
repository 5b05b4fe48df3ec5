import type { Logger } from 'pino';
import type { AttemptRecord, Store, ToolCallRecord } from '../../domain/store/port.ts';

/**
 * A store that writes a line to the log for each thing that is journalled: attempts, tool calls, gates, ends of runs. Lines have
 * ids, names and numbers, never what was said. What is reported twice has two lines; the journal is what counts.
 */
export function loggedStore(store: Store, logger: Logger): Store {
  return {
    ...store,
    createRun: async (run) => {
      const created = await store.createRun(run);
      const { runKey, task, tenant, feature } = run;
      if (created === 'created') logger.info({ ...runKey, task, tenant, feature }, 'run started');
      return created;
    },
    endRun: async (runKey, end, steps) => {
      const holds = await store.endRun(runKey, end, steps);
      logger.info({ ...runKey, status: holds.status, ...(holds.failureType ? { failureType: holds.failureType } : {}), steps }, 'run ended');
      return holds;
    },
    reportAttempt: async (runKey, attemptId, report) => {
      const attempt = await store.reportAttempt(runKey, attemptId, report);
      const line = lineOf(attempt);
      if (attempt.outcome?.type === 'failed') logger.warn(line, 'attempt');
      else logger.info(line, 'attempt');
      return attempt;
    },
    recordSkip: async (skip) => {
      await store.recordSkip(skip);
      const { runKey, step, attemptId, model, reason } = skip;
      logger.warn({ ...runKey, step, attemptId, model, reason }, 'candidate passed over');
    },
    journalRead: async (...read) => logCall(logger, await store.journalRead(...read)),
    finishToolCall: async (runKey, callKey, outcome) => logCall(logger, await store.finishToolCall(runKey, callKey, outcome)),
    createGate: async (gate) => {
      const stored = await store.createGate(gate);
      const { runKey, approvalId, kind, status, tool } = stored;
      logger.info({ ...runKey, approvalId, kind, status, tool }, 'gate');
      return stored;
    },
    decideGate: async (runKey, approvalId, rule, audit) => {
      const answer = await store.decideGate(runKey, approvalId, rule, audit);
      if (answer) {
        const { type, gateStatus } = answer;
        logger.info({ ...runKey, approvalId, decision: type === 'refused' ? answer.reason : type, status: gateStatus }, 'decision');
      }
      return answer;
    },
    closeGate: async (runKey, approvalId, status) => {
      const holds = await store.closeGate(runKey, approvalId, status);
      logger.info({ ...runKey, approvalId, status: holds }, 'gate closed');
      return holds;
    },
  };
}

function lineOf({ runKey, step, attemptId, ordinal, model, provider, outcome, money, reservedAtMs, endedAtMs }: AttemptRecord) {
  return {
    ...runKey,
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

function logCall(logger: Logger, call: ToolCallRecord): ToolCallRecord {
  const { runKey, attemptId, callKey, tool, effect, status, isError, startedAtMs, endedAtMs } = call;
  const line = { ...runKey, attemptId, callKey, tool, effect, status, isError, ms: (endedAtMs ?? startedAtMs) - startedAtMs };
  if (status === 'inDoubt' || status === 'failed') logger.warn(line, 'tool call');
  else logger.info(line, 'tool call');
  return call;
}
