import { writeFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openStore } from '../adapters/stores/open-store.ts';
import type { GateReport } from '../client/gate-report.ts';
import { createHttpAgentClient } from '../client/http-agent-client.ts';
import type { RunsDoor } from '../client/runs-door.ts';
import { resolveTemporalCli } from '../client/dev/temporal-cli.ts';
import { startTemporalServer } from '../client/dev/temporal-server.ts';
import { childEnvironment } from '../config/load.ts';
import type { AgentRunId } from '../contracts/ids.ts';
import type { RunRecord, Store } from '../domain/store/port.ts';
import { peakRssMb, startProcess } from './support/processes.ts';
import { percentile, table } from './support/statistics.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const AT_ONCE = 20;
const SCENARIO = {
  id: 'gated',
  match: { system: 'GATED' },
  turns: [{ toolCalls: [{ name: 'pay', arguments: { amountCents: 5 } }] }, { text: 'paid' }],
};

/** Gates decided one at a time while all the others wait: what a person at the page gets. */
const DECIDED_ALONE = 100;

/**
 * Many runs that wait at their gates: what the worker holds, how fast the API lists them, how long it takes from a decision to the
 * start of its action, and to decide all of them through the API. Decisions that were answered and had no effect are lost ones.
 */
export async function benchWaiting({ runs = 2_000 } = {}): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-bench-'));
  const { path } = await resolveTemporalCli({ configuredPath: process.env.TEMPORAL_CLI_PATH, onProgress: (line) => process.stderr.write(`${line}\n`) });
  const server = await startTemporalServer({ cliPath: path, folder: join(folder, 'temporal'), namespace: 'default', headless: true });
  const scenario = join(folder, 'scenario.json');
  writeFileSync(scenario, JSON.stringify(SCENARIO));
  const script = (name: string) => ['--conditions=tollgate-source', join(ROOT, name)];
  const provider = await startProcess(
    process.execPath,
    [...script('adapters/providers/simulated/main.ts'), '--port', '17991', '--bill', join(folder, 'bill.jsonl'), '--scenarios', scenario],
    { ready: '17991', logPath: join(folder, 'provider.log') },
  );
  const env = childEnvironment({
    TOLLGATE_HOME: folder,
    TOLLGATE_CONFIG: join(ROOT, 'bench', 'project', 'waiting.config.ts'),
    TEMPORAL_ADDRESS: server.address,
    TOLLGATE_SIMULATED_URL: 'http://127.0.0.1:17991/v1',
    TOLLGATE_LISTEN: '127.0.0.1:17992',
  });
  const worker = await startProcess(process.execPath, script('worker/main.ts'), { env, ready: 'worker ready', logPath: join(folder, 'worker.log') });
  const api = await startProcess(process.execPath, script('client/http/main.ts'), { env, ready: 'API ready', logPath: join(folder, 'api.log') });
  const store = await openStore({ home: folder });
  const agent = createHttpAgentClient({ url: 'http://127.0.0.1:17992' });
  try {
    const idleMb = peakRssMb(worker.pid);
    const startedMs = performance.now();
    await inParallel(runs, (index) => agent.start('gated' as never, { message: `Run ${index}.` } as never, { id: `waiting-${index}` }));
    let gates: readonly GateReport[] = [];
    while (gates.length < runs) {
      await new Promise((resolve) => setTimeout(resolve, 500));
      gates = await allGates(agent);
    }
    const waitingSeconds = (performance.now() - startedMs) / 1_000;
    const waitingMb = peakRssMb(worker.pid);
    const listMs = await timed(100, () => agent.pendingApprovals({ limit: 100 }));
    const longListMs = await timed(50, () => agent.pendingApprovals({ limit: 1_000 }));

    const sentAtMs = new Map<string, number>();
    let accepted = 0;
    const approve = async (gate: GateReport | undefined) => {
      if (!gate) return;
      sentAtMs.set(gate.agentRunId, Date.now());
      if ((await agent.approve(gate.approvalId, { actionDigest: gate.actionDigest })).type === 'accepted') accepted += 1;
    };
    for (const gate of gates.slice(0, DECIDED_ALONE)) await approve(gate);
    const rest = gates.slice(DECIDED_ALONE);
    const approvingMs = performance.now();
    await inParallel(rest.length, (index) => approve(rest[index]));
    const approvedSeconds = (performance.now() - approvingMs) / 1_000;
    while ((await completed(store)) < runs) await new Promise((resolve) => setTimeout(resolve, 250));
    const doneSeconds = (performance.now() - approvingMs) / 1_000;
    const waits = await Promise.all(gates.map(async ({ agentRunId }) => (await actionStartMs(store, agentRunId)) - (sentAtMs.get(agentRunId) ?? Number.NaN)));
    const ms = (values: readonly number[]) => `${percentile(values, 0.5).toFixed(0)} / ${percentile(values, 0.95).toFixed(0)}`;
    return table(
      ['', ''],
      [
        ['runs', String(runs)],
        ['started and at their gates, s', waitingSeconds.toFixed(1)],
        ['worker memory (peak) idle → waiting → after, MB', `${idleMb.toFixed(0)} → ${waitingMb.toFixed(0)} → ${peakRssMb(worker.pid).toFixed(0)}`],
        ['`GET /v1/approvals?limit=100`, median / p95, ms', ms(listMs)],
        ['`GET /v1/approvals?limit=1000`, median / p95, ms', ms(longListMs)],
        [`decision sent → action begun, ${DECIDED_ALONE} one by one, median / p95, ms`, ms(waits.slice(0, DECIDED_ALONE))],
        [`the same, ${AT_ONCE} at once, median / p95, ms`, ms(waits.slice(DECIDED_ALONE))],
        ['the rest decided through the API, s', approvedSeconds.toFixed(1)],
        ['decisions accepted / actions done', `${accepted} / ${waits.filter(Number.isFinite).length}`],
        ['all completed, s', doneSeconds.toFixed(1)],
      ],
    );
  } finally {
    await api.stop();
    await worker.stop();
    await provider.stop();
    await server.stop();
    await store.close();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

/** Page by page, as the inbox does. */
async function allGates(agent: Pick<RunsDoor, 'pendingApprovals'>): Promise<readonly GateReport[]> {
  const gates: GateReport[] = [];
  for (;;) {
    const last = gates.at(-1);
    const page = await agent.pendingApprovals({ limit: 1_000, ...(last ? { after: last.approvalId } : {}) });
    gates.push(...page);
    if (page.length < 1_000) return gates;
  }
}

async function completed(store: Store): Promise<number> {
  let count = 0;
  let last: RunRecord | undefined;
  for (;;) {
    const page = await store.listRuns({ status: 'completed', limit: 1_000, ...(last ? { olderThan: last.runKey } : {}) });
    count += page.length;
    last = page.at(-1);
    if (page.length < 1_000) return count;
  }
}

/** When the intent of the run's one action was written. */
async function actionStartMs(store: Store, agentRunId: string): Promise<number> {
  const run = await store.latestRun(agentRunId as AgentRunId);
  const calls = run ? await store.listToolCalls(run.runKey) : [];
  return calls.find(({ status }) => status === 'done')?.startedAtMs ?? Number.NaN;
}

async function timed(count: number, body: () => Promise<unknown>): Promise<number[]> {
  const taken: number[] = [];
  for (let index = 0; index < count; index += 1) {
    const beforeMs = performance.now();
    await body();
    taken.push(performance.now() - beforeMs);
  }
  return taken;
}

async function inParallel(count: number, body: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (next < count) {
        const index = next;
        next += 1;
        await body(index);
      }
    }),
  );
}
