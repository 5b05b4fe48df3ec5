import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { connectTemporal, createHttpAgentClient, type RunReport, type TemporalConnection } from '../../client/index.ts';
import { missingParts, startTopology, type Topology } from '../../scripts/production-shape/topology.ts';
import { waitFor } from '../support/wait-for.ts';

const missing = missingParts();
if (missing) console.log(`Skipped: this machine lacks ${missing}.`);
const BUILD_AND_START_MS = 300_000;
const MESSAGE = 'My tent from order W-1042 arrived with a torn seam, I want my money back. And where is my order W-1043? I am customer C-207.';

describe.skipIf(missing)('Temporal and the store on Postgres, workers, the API', () => {
  let topology: Topology;
  let client: ReturnType<typeof createHttpAgentClient>;
  let temporal: TemporalConnection;

  beforeAll(async () => {
    const cliPath = inject('temporalCli');
    // Slow enough that a worker can be killed while a model thinks.
    const providerArgs = ['--latency-ms', '1500-2000'];
    topology = await startTopology({ cliPath, env: process.env, workers: 2, providerArgs, note: (line) => console.log(line) });
    client = createHttpAgentClient({ url: topology.apiUrl, token: topology.token });
    temporal = await connectTemporal({ address: topology.temporalAddress, namespace: 'default' });
  }, BUILD_AND_START_MS);
  afterAll(async () => {
    await temporal?.connection.close();
    await topology?.stop();
  }, 60_000);

  /** What the provider says it charged, in billionths of a USD. */
  const bill = () =>
    readFileSync(topology.billPath, 'utf8')
      .split('\n')
      .reduce((sum, line) => sum + (line === '' ? 0 : (JSON.parse(line) as { nanoUsd: number }).nanoUsd), 0);
  const nanoUsd = (usd: string) => Math.round(Number(usd) * 1e9);
  const refunds = () => {
    const database = new DatabaseSync(join(topology.folder, 'home', 'northwind.db'), { readOnly: true });
    try {
      return Number(database.prepare('SELECT count(*) AS count FROM refunds').get()?.count);
    } finally {
      database.close();
    }
  };

  const killed = new Set<number>();

  /** Kills the worker that has a model call of the run under way. */
  async function killInACall(agentRunId: string): Promise<void> {
    const busy = await waitFor('a model call under way', async () => {
      const { raw } = await temporal.client.workflow.getHandle(agentRunId).describe();
      const call = raw.pendingActivities?.find(({ activityType, lastWorkerIdentity }) => activityType?.name === 'callModel' && lastWorkerIdentity);
      // The SDK's identity is "pid@host".
      return topology.workers.find(({ pid }) => !killed.has(pid) && call?.lastWorkerIdentity?.startsWith(`${pid}@`));
    });
    // The provider has named the response by now, and takes longer to write it.
    await new Promise((resolve) => setTimeout(resolve, 400));
    process.kill(busy.pid, 'SIGKILL');
    killed.add(busy.pid);
    await busy.exited;
  }

  test('a run that loses the worker of two of its model calls waits at its gate, acts once, and its ledger is the bill', async () => {
    await client.start('customer-support', { message: MESSAGE }, { id: 'torn-tent', tenant: 'northwind' });
    await killInACall('torn-tent');
    await topology.startWorker();
    await killInACall('torn-tent');

    const gate = await waitFor('the gate', async () => (await client.show('torn-tent')).gates.find(({ status }) => status === 'open'), 120_000);
    expect(gate).toMatchObject({ tool: 'refund_order', arguments: { orderId: 'W-1042', amountCents: 32_900 } });
    expect(refunds()).toBe(0);
    expect(await client.approve(gate.approvalId, { actionDigest: `sha256:${'0'.repeat(64)}` })).toMatchObject({ type: 'refused' });
    expect(await client.approve(gate.approvalId, { actionDigest: gate.actionDigest })).toMatchObject({ type: 'accepted' });

    expect(await client.result('torn-tent')).toMatchObject({ status: 'completed' });
    const { ledger, attempts, output } = await client.show('torn-tent');
    expect(output).toContain('329.00 USD');
    expect(refunds()).toBe(1);
    expect(nanoUsd(ledger.settledUsd)).toBe(bill());
    expect(nanoUsd(ledger.settledUsd) + nanoUsd(ledger.heldUsd)).toBeLessThanOrEqual(nanoUsd(ledger.limitUsd));
    expect(bill()).toBeGreaterThan(0);
    expect(attempts.filter(({ outcome }) => outcome === 'inFlight')).toEqual([]);
    const { events } = await temporal.client.workflow.getHandle('torn-tent').fetchHistory();
    const tries = (events ?? []).map(({ activityTaskStartedEventAttributes }) => activityTaskStartedEventAttributes?.attempt ?? 0);
    expect(tries.filter((attempt) => attempt > 1).length).toBeGreaterThanOrEqual(1);
  }, 240_000);

  test('the command line reads the same store, and everything is healthy', async () => {
    const shown = JSON.parse(await topology.tollgate(['runs', 'show', 'torn-tent', '--json'])) as RunReport;
    expect(shown).toMatchObject({ status: 'completed', tenant: 'northwind' });
    const doctor = JSON.parse(await topology.tollgate(['doctor', '--json'])) as { ok: boolean; checks: { name: string; status: string }[] };
    expect(doctor.checks.filter(({ status }) => status === 'problem')).toEqual([]);
    expect(await (await fetch(`${topology.apiUrl}/readyz`)).json()).toMatchObject({ status: 'ready', temporal: true, store: true });
    const alive = topology.workers.findIndex(({ pid }) => !killed.has(pid)) + 1;
    await waitFor('the worker to say that it is alive', async () => existsSync(join(topology.folder, `worker-${alive}.alive`)));
    expect((await topology.tollgate(['replay', '--from-namespace'])).trim()).toContain('0 would break');
  }, 120_000);

  test('without a key the API answers nothing', async () => {
    const response = await fetch(`${topology.apiUrl}/v1/runs`);
    expect(response.status).toBe(401);
  });
});
