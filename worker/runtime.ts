import { DefaultLogger, type LogLevel, Runtime, type Logger as SdkLogger } from '@temporalio/worker';
import type { Logger } from 'pino';
import type { RunTraces } from '../telemetry/run-traces.ts';

export interface RuntimeOptions {
  readonly logger: Logger;
  readonly level: string;
  /** Of the runs that lines are about. */
  readonly traces: RunTraces;
  /** Where the SDK serves metrics of its own, `host:port`. */
  readonly metricsAddress?: string | undefined;
}

/**
 * Has the Temporal SDK log through ours, where every line is redacted, and serve its metrics of queues, pollers and slots.
 * There is one runtime in a process: one that is there already stays as it is, and an address that is taken costs the metrics only.
 */
export function installRuntime({ logger, level, traces, metricsAddress }: RuntimeOptions): void {
  const base = { logger: throughPino(logger, level, traces), telemetryOptions: { logging: { filter: coreFilter(level), forward: {} } } };
  const metrics =
    metricsAddress === undefined
      ? {}
      : { metrics: { prometheus: { bindAddress: metricsAddress, unitSuffix: true, countersTotalSuffix: true, useSecondsForDurations: true } } };
  try {
    const runtime = Runtime.install({ ...base, telemetryOptions: { ...base.telemetryOptions, ...metrics } });
    dropBelow(runtime.logger, sdkLevel(level));
  } catch (error) {
    logger.warn({ error: String(error), metricsAddress }, 'the Temporal SDK was set up before, or can not listen there: it keeps what it has');
    if (metricsAddress !== undefined) installRuntime({ logger, level, traces });
  }
}

/** The SDK's native part says much that nobody asked for below its warnings. */
function coreFilter(level: string) {
  return level === 'error' || level === 'silent' ? ({ core: 'ERROR', other: 'ERROR' } as const) : ({ core: 'WARN', other: 'ERROR' } as const);
}

const PINO_LEVEL: Readonly<Record<LogLevel, 'trace' | 'debug' | 'info' | 'warn' | 'error'>> = {
  TRACE: 'trace',
  DEBUG: 'debug',
  INFO: 'info',
  WARN: 'warn',
  ERROR: 'error',
};

const LEVELS = Object.keys(PINO_LEVEL) as LogLevel[];

/**
 * The SDK keeps each line for a tenth of a second, to sort it among those of its native part, and looks at its level only then.
 * It has several at every task, one with the whole of it, that nobody reads: they are dropped before.
 */
function dropBelow(logger: SdkLogger, level: LogLevel): void {
  for (const lower of LEVELS.slice(0, LEVELS.indexOf(level))) logger[PINO_LEVEL[lower]] = () => undefined;
}

function sdkLevel(level: string): LogLevel {
  const found = LEVELS.find((name) => PINO_LEVEL[name] === level);
  return found ?? 'ERROR';
}

function throughPino(logger: Logger, level: string, traces: RunTraces): DefaultLogger {
  const sdk = logger.child({ part: 'temporal' });
  return new DefaultLogger(sdkLevel(level), ({ level, message, meta = {} }) => {
    // A task's token and namespace say nothing to a person.
    const { workflowId, workflowRunId: _run, taskToken: _token, namespace: _namespace, ...rest } = meta as Readonly<Record<string, unknown>>;
    const about = workflowId === undefined ? {} : { agentRunId: workflowId, traceId: traces.ofNewest(String(workflowId)) };
    sdk[PINO_LEVEL[level]]({ ...about, ...rest }, message);
  });
}
