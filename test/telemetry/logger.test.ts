import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SCRIPT = `
  import { openEngine } from './adapters/redaction/engine.ts';
  import { createScrubber } from './domain/redaction/scrub.ts';
  import { createLogger } from './telemetry/logger.ts';
  const secret = ['gh', 'p_', 'Zq3Xw7Kp9Lm2Nv5Bc8Df4Gh6Jk1Rt0Yu2Wsx'].join('');
  const logger = createLogger({ level: 'trace', name: 'test', scrub: createScrubber(openEngine({})).json });
  logger.trace({ deep: { list: ['to ann@example.org', secret] }, apiKey: 'k', at: '127.0.0.1:7233', token: '⟦email:1⟧' }, 'hello ann@example.org');
  logger.child({ who: 'bob@example.org' }).error({ err: new Error('broken for ann@example.org', { cause: new Error(secret) }) }, 'x');
  logger.info('%s and %j', 'ann@example.org', { ann: 'ann@example.org' });
`;

test('a line of the log has nothing that redaction finds, wherever in it; each stays one line of JSON', () => {
  const { stderr } = spawnSync(process.execPath, ['--input-type=module-typescript', '-e', SCRIPT], { cwd: ROOT, encoding: 'utf8' });
  const lines = stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(stderr).not.toMatch(/@example|ghp_/);
  expect(lines).toMatchObject([
    { level: 10, name: 'test', msg: 'hello ⟦email⟧', deep: { list: ['to ⟦email⟧', '⟦secret.github-pat⟧'] }, apiKey: '[redacted]', at: '127.0.0.1:7233' },
    { who: '⟦email⟧', err: { message: expect.stringContaining('broken for ⟦email⟧'), stack: expect.stringContaining('⟦secret.github-pat⟧') } },
    { msg: expect.stringContaining('⟦email⟧ and') },
  ]);
});
