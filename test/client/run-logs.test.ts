import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { logsOfRun, renderLogLine } from '../../client/cli/run-logs.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'tollgate-logs-'));
  mkdirSync(join(home, 'logs'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const line = (time: number, fields: object) => JSON.stringify({ level: 30, time, pid: 1, hostname: 'h', name: 'worker', msg: 'attempt', ...fields });

test('lines about one run come from every file in the order of time; what is no line of it is left out', () => {
  const worker = [
    line(30, { agentRunId: 'one', step: 2 }),
    'a line of another program about "one"',
    line(20, { agentRunId: 'two', about: 'one' }),
    line(10, { agentRunId: 'one', step: 1, attemptId: 'a', outcome: 'ok' }),
    '{"cut":"one", "agentRunId": "one"',
  ];
  writeFileSync(join(home, 'logs', 'worker.log'), worker.join('\n'));
  writeFileSync(join(home, 'logs', 'api.log'), line(15, { name: 'api', agentRunId: 'one', msg: 'feedback' }));
  const lines = logsOfRun(home, 'one');
  expect(lines.map(({ time, name }) => [time, name])).toEqual([
    [10, 'worker'],
    [15, 'api'],
    [30, 'worker'],
  ]);
  expect(lines.map(renderLogLine)[0]).toBe('1970-01-01T00:00:00.010Z info  worker attempt step=1 attemptId=a outcome=ok');
  expect(logsOfRun(join(home, 'nowhere'), 'one')).toEqual([]);
});
