import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ScenarioInput } from '../../adapters/providers/simulated/scenario.ts';
import { migratePostgres } from '../../adapters/stores/postgres/schema.ts';
import { Destination } from '../support/destination.ts';
import { hasPostgres, PASSWORD, PostgresServer } from '../support/postgres.ts';
import { Stage } from '../support/stage.ts';
import { httpTools } from '../support/tools.ts';
import { waitFor } from '../support/wait-for.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const slow = (delayMs: number) => [{ type: 'slow' as const, delayMs, attempt: 1 }];
const scenarios: ScenarioInput[] = [
  { id: 'slow', match: { system: 'SLOW' }, turns: [{ text: 'answered', faults: slow(6_000) }] },
  {
    id: 'steps',
    match: { system: 'STEPS' },
    turns: [
      { toolCalls: [{ name: 'look', arguments: {} }] },
      { toolCalls: [{ name: 'look', arguments: {} }], faults: slow(3_000) },
      { toolCalls: [{ name: 'pay', arguments: { amount: 5 } }] },
      { text: 'done' },
    ],
  },
];

describe.runIf(hasPostgres())('workers on a real Postgres', () => {
  let server: PostgresServer;
  let url: string;
  let destination: Destination;
  let stage: Stage;
  beforeAll(async () => {
    server = await new PostgresServer().open();
  });
  afterAll(() => server?.close());
  beforeEach(async () => {
    url = await server.createDatabase();
    destination = await opened(new Destination());
    stage = new Stage();
  });
  afterEach(async () => {
    await stage.close();
    destination.close();
  });

  const tools = () => httpTools(destination.url, { look: 'read', pay: 'irreversible' }) as never;
  const open = async (workers: number) => {
    await migratePostgres(url);
    await stage.open({ scenarios, workers, databaseUrl: url });
  };
  const workerOf = async (workflowId: string) =>
    waitFor('a started activity', async () => {
      const description = await stage.client.workflow.getHandle(workflowId).describe();
      const pid = Number(
        (description.raw.pendingActivities?.find(({ activityType }) => activityType?.name !== 'pinTask')?.lastWorkerIdentity ?? '').split('@')[0],
      );
      return stage.workers.find((worker) => worker.pid === pid);
    });
  const attemptsOf = async (id: string) => stage.store.listAttempts((await stage.run(id)).runKey);

  test('a worker killed during a model call: another goes on within 10 s, and the ledger holds what the provider billed', async () => {
    await open(2);
    const handle = await stage.start({ prompt: 'SLOW' }, { id: 'killed' });
    const worker = await workerOf('killed');
    await waitFor('the request at the provider', async () => (await stage.bill()) > 0);
    await stage.kill(worker);
    const killedMs = Date.now();
    await waitFor('the run to go on', async () => (await attemptsOf('killed')).length > 1);
    expect(Date.now() - killedMs).toBeLessThan(10_000);
    expect(await handle.result()).toMatchObject({ status: 'completed', output: 'answered' });
    expect(await stage.ledgerProblems('killed')).toEqual([]);
    expect((await stage.store.getLedger((await stage.run('killed')).runKey))?.heldNanoUsd).toBeGreaterThan(0);
  });

  test('Postgres crashes while a reply is on its way and stays away for seconds: the reply is booked, and nothing is paid twice', async () => {
    await open(1);
    const handle = await stage.start({ prompt: 'SLOW' }, { id: 'restarted' });
    await waitFor('the request at the provider', async () => (await stage.bill()) > 0);
    const { runKey } = await stage.run('restarted');
    await server.stop('SIGQUIT');
    await sleep(8_000);
    await server.start();
    expect(await handle.result()).toMatchObject({ status: 'completed', output: 'answered' });
    expect(await stage.store.listAttempts(runKey)).toHaveLength(1);
    expect((await stage.store.getLedger(runKey))?.settledNanoUsd).toBe(await stage.bill());
  });

  /** Kills a worker, crashes Postgres, and both again. */
  async function strike(): Promise<void> {
    for (const part of ['worker', 'postgres', 'worker', 'postgres'] as const) {
      await sleep(1_500);
      if (part === 'postgres') {
        await server.stop('SIGQUIT');
        await server.start();
        continue;
      }
      const [victim] = stage.workers.filter(({ process: { exitCode, signalCode } }) => exitCode === null && signalCode === null);
      if (victim) await stage.kill(victim);
      await stage.startWorker();
    }
  }

  test('several runs on two workers, while workers are killed and Postgres crashes: both promises hold', { timeout: 150_000 }, async () => {
    await open(2);
    const paid = new Map<string, Destination>();
    for (const id of Array.from({ length: 5 }, (_, index) => `run-${index}`)) {
      const own = await opened(new Destination());
      paid.set(id, own);
      await stage.start({ prompt: 'STEPS', tools: httpTools(own.url, { look: 'read', pay: 'irreversible' }) as never }, { id });
    }
    const sentAtMs = new Map<string, number>();
    const approver = setInterval(async () => {
      for (const gate of await stage.store.listGates({ status: 'open', limit: 100 }).catch(() => [])) {
        if (Date.now() - (sentAtMs.get(gate.approvalId) ?? 0) < 2_000) continue;
        sentAtMs.set(gate.approvalId, Date.now());
        const { agentRunId } = gate.runKey;
        const verdict = gate.kind === 'action' || paid.get(agentRunId)?.count('pay') ? 'approve' : 'deny';
        await stage.client.workflow.getHandle(agentRunId).signal(verdict, { approvalId: gate.approvalId, actionDigest: gate.actionDigest });
      }
    }, 250);
    try {
      await strike();
      for (const id of paid.keys()) expect(await stage.client.workflow.getHandle(id).result(), id).toMatchObject({ status: 'completed' });
      for (const [id, own] of paid) {
        expect(await stage.ledgerProblems(id), id).toEqual([]);
        expect(own.count('pay'), id).toBeLessThanOrEqual(1);
      }
      expect([...paid.values()].filter((own) => own.count('pay') === 1).length, 'actions carried out').toBeGreaterThan(0);
    } finally {
      clearInterval(approver);
      for (const own of paid.values()) own.close();
    }
  });

  test('tollgate dev brings an empty database up and its worker carries runs out on it', async () => {
    await open(0);
    const empty = await server.createDatabase();
    const { TOLLGATE_SIMULATED_URL: _others, ...rest } = stage.environment;
    const env = { ...rest, DATABASE_URL: empty, TOLLGATE_HOME: join(stage.folder, 'dev') };
    const child = spawn(process.execPath, [join(ROOT, 'client', 'cli', 'bin.mjs'), 'dev', '--sample'], { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        output += chunk.toString();
      });
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
    try {
      await waitFor('the sample run', async () => (child.exitCode === null ? /Ctrl-C stops/.test(output) : output), 120_000);
      expect(output).toMatch(/schema version 0 → \d/);
      expect(output).toContain('waits at a gate');
      expect(await server.sql(empty, 'SELECT agent_run_id FROM tollgate.runs')).toEqual([{ agent_run_id: 'sample-refund' }]);
      expect(output).not.toContain(PASSWORD);
    } finally {
      child.kill('SIGINT');
      await ended;
    }
  });

  test('a rolling upgrade: the older worker works on beside the newer schema, dies in the middle of a run, and the newer one finishes it', async () => {
    const older = olderVersion();
    try {
      await open(0);
      const old = await stage.startWorker({}, older);
      const handle = await stage.start({ prompt: 'STEPS', tools: tools() }, { id: 'upgraded' });
      await waitFor('the second step', async () => (await attemptsOf('upgraded').catch(() => [])).length === 2);
      await server.sql(url, "ALTER TABLE tollgate.attempts ADD COLUMN later TEXT NOT NULL DEFAULT ''; ALTER TABLE tollgate.tool_calls ADD COLUMN later TEXT");
      await stage.startWorker();
      await stage.kill(old);
      await stage.approve(handle);
      expect(await handle.result()).toMatchObject({ status: 'completed', output: 'done' });
      expect(destination.count('pay')).toBe(1);
      expect(await stage.ledgerProblems('upgraded')).toEqual([]);
      const builds = new Set(
        (await handle.fetchHistory()).events?.flatMap(({ workflowTaskCompletedEventAttributes: task }) => task?.workerVersion?.buildId ?? []),
      );
      expect(builds.size, 'build ids in the history').toBe(2);
    } finally {
      rmSync(older, { recursive: true, force: true });
    }
  });
});

async function opened(destination: Destination): Promise<Destination> {
  await destination.open();
  return destination;
}

/** The code of this clone as it would have been one schema version and one workflow bundle earlier, in a folder of its own. */
function olderVersion(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-older-'));
  for (const name of ['activities', 'adapters', 'client', 'config', 'contracts', 'domain', 'tasks', 'telemetry', 'worker', 'workflows'])
    cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  for (const name of ['package.json', 'index.ts', 'tollgate.config.ts', 'tsconfig.json']) cpSync(join(ROOT, name), join(folder, name));
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  const migrations = join(folder, 'adapters', 'stores', 'postgres', 'migrations.ts');
  const text = readFileSync(migrations, 'utf8').replace('export const MIGRATIONS', 'const LATER');
  writeFileSync(migrations, `${text}\nexport const MIGRATIONS = LATER.slice(0, 1);\n`);
  const workflow = join(folder, 'workflows', 'agent-run', 'agent-run.ts');
  writeFileSync(workflow, `${readFileSync(workflow, 'utf8')}\nexport const olderVersion = true;\n`);
  return folder;
}
