import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const BIN = fileURLToPath(new URL('../../client/cli/bin.mjs', import.meta.url));
const TIMEOUT_MS = 60_000;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tollgate-cli-'));
  await writeFile(join(folder, 'input.json'), '{"message":"hello"}');
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly ms: number;
}

/** Nothing of the person's own settings; Temporal at a port where nothing listens. */
function environment(settings: Record<string, string>): Record<string, string> {
  return {
    PATH: process.env.PATH ?? '',
    TOLLGATE_HOME: join(folder, 'home'),
    TEMPORAL_ADDRESS: '127.0.0.1:1',
    TOLLGATE_SIMULATED_URL: 'http://127.0.0.1:1/v1',
    ...settings,
  };
}

async function tollgate(args: readonly string[], { settings = {}, input = '' }: { settings?: Record<string, string>; input?: string } = {}): Promise<Ended> {
  const startedMs = Date.now();
  const child = spawn(process.execPath, [BIN, ...args], { cwd: folder, env: environment(settings), stdio: 'pipe' });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  child.stdin.end(input);
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { code, stdout, stderr, ms: Date.now() - startedMs };
}

function expectPlainError(ended: Ended, text: string | RegExp): void {
  expect(ended.stderr).toMatch(text);
  expect(ended.stderr).toMatch(/^error: /);
  expect(ended.stderr).not.toMatch(/^ +at /m);
  expect(ended.code).toBe(2);
}

test(
  'what a person gets wrong on the command line is one plain error with exit code 2',
  async () => {
    const run = ['run', 'customer-support', '--input'];
    await writeFile(join(folder, 'broken.json'), '{"message": ');
    await writeFile(join(folder, 'wrong.json'), '{"messge": "hi"}');
    const [command, option, status, task, missing, broken, wrong, budget] = await Promise.all([
      tollgate(['aprove', 'x']),
      tollgate(['run', 'customer-support']),
      tollgate(['runs', 'list', '--status', 'done']),
      tollgate(['run', 'nope', '--input', 'input.json']),
      tollgate([...run, 'missing.json']),
      tollgate([...run, 'broken.json']),
      tollgate([...run, 'wrong.json']),
      tollgate([...run, 'input.json', '--budget-usd', 'much']),
    ]);
    expectPlainError(command, "unknown command 'aprove'");
    expectPlainError(option, "required option '--input <file>' not specified");
    expectPlainError(status, 'It is one of running, awaitingApproval');
    expectPlainError(task, 'There is no task "nope"');
    expect(task.stderr).toContain('customer-support');
    expectPlainError(missing, "The input file missing.json can't be read (ENOENT)");
    expectPlainError(broken, 'The input file broken.json is not valid JSON');
    expectPlainError(wrong, 'input.message');
    expect(wrong.stderr).toContain('messge');
    expectPlainError(budget, 'budgetUsd: expected an amount in USD');
  },
  TIMEOUT_MS,
);

test(
  'what is wrong with the surroundings is one plain error with exit code 2, before anything is started',
  async () => {
    const run = ['run', 'customer-support', '--input', 'input.json'];
    const [unreachable, key, variables, digest, unknown, postgres] = await Promise.all([
      tollgate(run),
      tollgate(run, { settings: { TOLLGATE_SIMULATED_URL: '' } }),
      tollgate(['runs', 'list'], { settings: { TEMPORAL_ADDRESS: 'nowhere', TOLLGATE_AS: 'alice' } }),
      tollgate(['approve', 'gate-1']),
      tollgate(['runs', 'show', 'no-such-run']),
      tollgate(['runs', 'list'], { settings: { DATABASE_URL: 'postgres://shop:open-sesame@127.0.0.1:1/x' } }),
    ]);
    expectPlainError(unreachable, /No Temporal server answers at 127\.0\.0\.1:1 .*TEMPORAL_ADDRESS/s);
    expect(unreachable.ms).toBeLessThan(30_000);
    expectPlainError(key, 'needs OPENAI_API_KEY, which is not set');
    expectPlainError(variables, 'The environment has 2 mistakes');
    expectPlainError(digest, 'add --digest <actionDigest>');
    expectPlainError(unknown, 'There is no run "no-such-run"');
    expectPlainError(postgres, /The store postgres:\/\/127\.0\.0\.1:1\/x can't be used .*DATABASE_URL/);
    expect(postgres.stderr).not.toContain('sesame');
    const runs = await tollgate(['runs', 'list', '--json']);
    expect(runs.stdout).toBe('[]\n');
  },
  TIMEOUT_MS,
);

test(
  'models that can not be used are all listed before a run is started',
  async () => {
    const config = `export default { tasks: [{ name: 'odd', prompt: 'x', models: ['house-model', 'gpt-5-nano', 'other-model'], maxOutputTokens: 8, budgetUsd: 1 }] };`;
    await writeFile(join(folder, 'odd.config.ts'), config);
    const ended = await tollgate(['run', 'odd', '--input', 'input.json'], { settings: { TOLLGATE_CONFIG: 'odd.config.ts' } });
    expectPlainError(ended, 'The model "house-model" has no known price');
    expect(ended.stderr).toContain('The model "other-model" has no known price');
    expect(ended.stderr).not.toContain('gpt-5-nano');
  },
  TIMEOUT_MS,
);

test(
  'a configuration that Node reads as CommonJS says what to write into package.json',
  async () => {
    await mkdir(join(folder, 'common'), { recursive: true });
    await writeFile(join(folder, 'common', 'package.json'), '{"type":"commonjs"}');
    await writeFile(join(folder, 'common', 'tollgate.config.ts'), "import { join } from 'node:path';\nexport default { tasks: [join] };");
    const ended = await tollgate(['run', 'x', '--input', 'input.json'], { settings: { TOLLGATE_CONFIG: 'common/tollgate.config.ts' } });
    // Node has a warning of its own before it.
    expect(ended.stderr).toMatch(/^error: .*"npm pkg set type=module"/m);
    expect(ended.code).toBe(2);
  },
  TIMEOUT_MS,
);

test(
  'a task folder with mistakes lists them all, with line and fix',
  async () => {
    await mkdir(join(folder, 'task'), { recursive: true });
    await writeFile(
      join(folder, 'task', 'task.yaml'),
      'name: t\nprompt: ./none.md\nmodel: [m]\nmaxOutputTokens: many\nbudgetUsd: -1\nonBudgetExhausted: beg\n',
    );
    const ended = await tollgate(['run', './task', '--input', 'input.json']);
    expectPlainError(ended, 'The task in ./task has 5 mistakes');
    for (const line of [2, 3, 4, 5, 6]) expect(ended.stderr).toMatch(new RegExp(`task/task\\.yaml:${line}:\\d+: `));
  },
  TIMEOUT_MS,
);

test(
  'with --json the error is JSON on standard output too',
  async () => {
    const [usage, typed] = await Promise.all([tollgate(['runs', 'show', '--json']), tollgate(['run', 'nope', '--input', 'input.json', '--json'])]);
    expect(JSON.parse(usage.stdout)).toEqual({ error: { type: 'usage', message: "missing required argument 'id'" } });
    expect(JSON.parse(typed.stdout)).toMatchObject({ error: { type: 'unknownTask' } });
    expect([usage.code, typed.code]).toEqual([2, 2]);
  },
  TIMEOUT_MS,
);

test(
  'price and explain-error answer every line, also one that is nonsense, and keep its id',
  async () => {
    const lines = (values: readonly unknown[]) => values.map((value) => (typeof value === 'string' ? value : JSON.stringify(value))).join('\n');
    const line = { id: 'x', model: 'o3', usage: { prompt_tokens: 1_000, completion_tokens: 0, total_tokens: 1_000 } };
    const explained = await tollgate(['price', '--explain', '--at', '2025-06-01'], { input: lines([line, { ...line, at: '2026-06-01' }]) });
    expect(
      explained.stdout
        .trim()
        .split('\n')
        .map((each) => JSON.parse(each) as unknown),
    ).toEqual([
      expect.objectContaining({ id: 'x', nanoUsd: 10_000_000, effectiveAt: null, parts: [{ kind: 'input', tokens: 1_000, usdPerMillion: 10 }] }),
      expect.objectContaining({ id: 'x', nanoUsd: 2_000_000, effectiveAt: '2025-06-10', source: expect.stringContaining('openai/o3') }),
    ]);
    const [price, explain] = await Promise.all([
      tollgate(['price'], {
        input: lines([
          { id: 'a', model: 'gpt-5-mini', usage: { input_tokens: 1_000, output_tokens: 10 } },
          '',
          'nonsense',
          { id: 'c', model: 'no-such-model', usage: {} },
        ]),
      }),
      tollgate(['explain-error'], {
        input: lines([
          { id: 1, status: 429, headers: { 'Retry-After': '2' } },
          { id: 2, transport: 'ECONNRESET' },
        ]),
      }),
    ]);
    const answers = (ended: Ended) =>
      ended.stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(answers(price)).toEqual([
      { id: 'a', nanoUsd: 270_000 },
      { id: null, nanoUsd: null, reason: expect.any(String) },
      { id: 'c', nanoUsd: null, reason: expect.any(String) },
    ]);
    expect(answers(explain)).toEqual([
      { id: 1, class: 'rateLimited', retrySameModel: true, nextCandidate: true, billed: 'no', retryAfterMs: 2_000 },
      expect.objectContaining({ id: 2, class: 'connectionLost', billed: 'unknown' }),
    ]);
    expect([price.code, explain.code]).toEqual([0, 0]);
  },
  TIMEOUT_MS,
);

test(
  'doctor names what is missing and ends with 1',
  async () => {
    const ended = await tollgate(['doctor', '--json']);
    expect(ended.code).toBe(1);
    const { ok, checks } = JSON.parse(ended.stdout) as { ok: boolean; checks: { name: string; status: string }[] };
    expect(ok).toBe(false);
    expect(Object.fromEntries(checks.map(({ name, status }) => [name, status]))).toMatchObject({
      Node: 'ok',
      settings: 'ok',
      configuration: 'ok',
      store: 'ok',
      'signing key': 'ok',
      provider: 'ok',
      models: 'ok',
      Temporal: 'problem',
      namespace: 'skipped',
      'search attributes': 'skipped',
    });
  },
  TIMEOUT_MS,
);
