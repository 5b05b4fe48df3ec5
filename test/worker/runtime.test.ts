import { Runtime } from '@temporalio/worker';
import { expect, test } from 'vitest';
import { createLogger } from '../../telemetry/logger.ts';
import { RunTraces } from '../../telemetry/run-traces.ts';
import { installRuntime } from '../../worker/runtime.ts';

test('what the SDK says below the level is not even looked at, and what it says above it comes through our logger', () => {
  const lines: string[] = [];
  const logger = createLogger({ level: 'info', name: 'test', scrub: (line) => line });
  logger.child = (() => ({
    info: (_fields: object, message: string) => lines.push(message),
    warn: (_fields: object, message: string) => lines.push(message),
  })) as never;
  installRuntime({ logger, level: 'info', traces: new RunTraces() });
  const sdk = Runtime.instance().logger;
  let looks = 0;
  const fields = {
    get task() {
      looks += 1;
      return 'all of it';
    },
  };
  sdk.trace('Got workflow activation', fields);
  sdk.debug('Creating worker', fields);
  expect(looks).toBe(0);
  sdk.info('Worker state changed', fields);
  sdk.warn('something is wrong');
  Runtime.instance().flushLogs();
  expect(looks).toBeGreaterThan(0);
  expect(lines).toEqual(['Worker state changed', 'something is wrong']);
});
