import { writeFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { openLocalKey } from '../adapters/keys/local-key.ts';
import { openStore } from '../adapters/stores/open-store.ts';
import { createAgentClient } from '../client/library/main.ts';
import { resolveTemporalCli } from '../client/dev/temporal-cli.ts';
import { startTemporalServer } from '../client/dev/temporal-server.ts';
import { childEnvironment } from '../config/load.ts';
import type { GateRecord } from '../domain/approval/gate.ts';
import { peakRssMb, startProcess } from './support/processes.ts';
import { spreadOf, table } from './support/statistics.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const AT_ONCE = 20;
const SCENARIO = {
  id: 'gated',
  match: { system: 'GATED' },
  turns: [{ toolCalls: [{ name: 'pay', arguments: { amountCents: 5 } }] }, { text: 'paid' }],
};

/** Many runs that wait at their gates: what the worker holds, how fast the inbox lists them, how long it takes to approve all. */
export async function benchWaiting({ runs = 1_000 } = {}): Promise<string> {
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
  });
  const worker = await startProcess(process.execPath, script('worker/main.ts'), { env, ready: 'worker ready', logPath: join(folder, 'worker.log') });
  const store = await openStore({ home: folder });
  const connection = await Connection.connect({ address: server.address });
  try {
    const idleMb = peakRssMb(worker.pid);
    const { signer } = await openLocalKey(folder);
    const agent = createAgentClient({ client: new Client({ connection }), store, identity: { name: 'bench', roles: ['approver'] }, signer });
    const startedMs = performance.now();
    await inParallel(runs, (index) => agent.start('gated' as never, { message: `Run ${index}.` } as never, { id: `waiting-${index}` }));
    let gates: readonly GateRecord[] = [];
    while (gates.length < runs) {
      await new Promise((resolve) => setTimeout(resolve, 250));
      gates = await store.listGates({ status: 'open', limit: runs });
    }
    const waitingSeconds = (performance.now() - startedMs) / 1_000;
    const waitingMb = peakRssMb(worker.pid);
    const listMs: number[] = [];
    for (let count = 0; count < 20; count += 1) {
      const beforeMs = performance.now();
      await agent.pendingApprovals();
      listMs.push(performance.now() - beforeMs);
    }
    const approvingMs = performance.now();
    let accepted = 0;
    await inParallel(gates.length, async (index) => {
      const gate = gates[index];
      if (gate && (await agent.approve(gate.approvalId, { actionDigest: gate.actionDigest })).type === 'accepted') accepted += 1;
    });
    const approvedSeconds = (performance.now() - approvingMs) / 1_000;
    while ((await store.listRuns({ status: 'completed', limit: runs })).length < runs) await new Promise((resolve) => setTimeout(resolve, 250));
    const doneSeconds = (performance.now() - approvingMs) / 1_000;
    return table(
      [
        'runs',
        'started and at their gates, s',
        'worker memory idle → waiting, MB',
        'KB a run',
        'inbox list, ms',
        'approved, s',
        'accepted',
        'all completed, s',
      ],
      [
        [
          String(runs),
          waitingSeconds.toFixed(1),
          `${idleMb.toFixed(0)} → ${waitingMb.toFixed(0)}`,
          (((waitingMb - idleMb) * 1_000) / runs).toFixed(0),
          spreadOf(listMs).median.toFixed(0),
          approvedSeconds.toFixed(1),
          String(accepted),
          doneSeconds.toFixed(1),
        ],
      ],
    );
  } finally {
    await connection.close();
    await worker.stop();
    await provider.stop();
    await server.stop();
    await store.close();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
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
