import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ScenarioInput } from '../../adapters/providers/simulated/scenario.ts';
import type { AgentRunResult } from '../../contracts/agent-run.ts';
import type { GateRecord } from '../../domain/approval/gate.ts';
import { LONG_REPLY_TOKENS } from '../../domain/task/candidates.ts';
import { Destination } from '../support/destination.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { Stage } from '../support/stage.ts';
import { httpTools } from '../support/tools.ts';

/**
 * Many runs at once, while workers are killed and frozen, the Temporal server is killed, providers fail and replies of
 * irreversible actions get lost. Whatever happens, both promises hold. TOLLGATE_SEED repeats a campaign's choices,
 * TOLLGATE_CAMPAIGN_RUNS makes it longer.
 */
const seed = Number(process.env.TOLLGATE_SEED ?? Math.floor(Math.random() * 1_000_000));
const runCount = Number(process.env.TOLLGATE_CAMPAIGN_RUNS ?? 12);
const random = seededRandom(seed);

/** Those of streams happen where a reply is streamed: in the runs that may have long ones and are not in the background. */
const FAULTS = 'rateLimit,serverError,overloaded,cutAfterWork,malformed,slow,cutStream,errorInStream,endsEarly,malformedChunk,emptyStream,slowStream';

const scenarios: ScenarioInput[] = [
  {
    id: 'campaign',
    match: { system: 'CAMPAIGN' },
    turns: [
      { toolCalls: [0, 1, 2].map((part) => ({ name: 'look', arguments: { part } })) },
      { toolCalls: [{ name: 'pay', arguments: { amount: 5 } }] },
      { toolCalls: [{ name: 'note', arguments: { text: 'paid' } }] },
      { toolCalls: [{ name: 'wire', arguments: { amount: 7 } }] },
      { toolCalls: [{ name: 'look', arguments: { part: 4 } }] },
      { text: 'all done' },
    ],
  },
];

const stage = new Stage();
/** `pay` can be asked whether it was done, `wire` cannot. One of each per run, so a destination knows a run by its URL. */
const destinations = new Map<string, Destination>();
/** What the approver decided, and when it was sent. */
const decided = new Map<string, { readonly verdict: 'approve' | 'deny'; readonly atMs: number; readonly gate: GateRecord }>();

beforeAll(async () => {
  console.log(
    `campaign of ${runCount} runs, seed ${seed}; again: TOLLGATE_SEED=${seed} TOLLGATE_CAMPAIGN_RUNS=${runCount} npx vitest run test/simulation/campaign.test.ts`,
  );
  await stage.open({ scenarios, workers: 2, providerArgs: ['--seed', String(seed), '--fault-rate', '0.15', '--latency-ms', '50-1500', '--faults', FAULTS] });
});
afterAll(async () => {
  await stage.close();
  for (const destination of destinations.values()) destination.close();
});

async function startRun(index: number): Promise<WorkflowHandle> {
  const id = `run-${index}`;
  const destination = new Destination();
  await destination.open();
  destinations.set(id, destination);
  const trouble = { delay: random.below(2_500), isCut: random.chance(0.3) };
  destination.delayMs = ({ tool }) => (tool === 'pay' || tool === 'wire' ? trouble.delay : 20);
  destination.isCut = ({ tool }) => (tool === 'pay' || tool === 'wire') && trouble.isCut;
  destination.answersOutcomes = (tool) => tool !== 'wire';
  const tools = httpTools(destination.url, { look: 'read', note: 'write', pay: 'irreversible', wire: 'irreversible' }) as never;
  return stage.start(
    { prompt: 'CAMPAIGN', tools, providerStorage: random.chance(0.5) ? 'allowed' : 'forbidden', maxOutputTokens: random.chance(0.5) ? 256 : LONG_REPLY_TOKENS },
    { id },
  );
}

/** Answers every open gate: mostly yes, some no; those in doubt by what the destination really did. */
async function decideGates(): Promise<void> {
  for (const gate of await stage.store.listGates({ status: 'open', limit: 100 })) {
    const destination = destinations.get(gate.runKey.agentRunId);
    const before = decided.get(gate.approvalId);
    // A signal that came before the run waited at its gate did not count: say it again.
    if (before && Date.now() - before.atMs < 2_000) continue;
    const asked = gate.tool as 'pay' | 'wire';
    const verdict = before?.verdict ?? (gate.kind === 'inDoubt' ? (destination?.count(asked) ? 'approve' : 'deny') : random.chance(0.85) ? 'approve' : 'deny');
    decided.set(gate.approvalId, { verdict, atMs: Math.min(before?.atMs ?? Date.now(), Date.now()), gate });
    const handle = stage.client.workflow.getHandle(gate.runKey.agentRunId);
    const payload = { approvalId: gate.approvalId, actionDigest: gate.actionDigest, reason: 'campaign' };
    await handle.signal(verdict, payload).catch(() => undefined);
  }
}

/** One piece of bad luck. */
async function strike(): Promise<string> {
  const alive = stage.workers.filter(({ process: { exitCode, signalCode } }) => exitCode === null && signalCode === null);
  const victim = alive[random.below(alive.length)];
  const dice = random.below(10);
  if (!victim || dice === 0) {
    await stage.killServer();
    await stage.startServer();
    return 'server killed';
  }
  if (dice <= 3) {
    process.kill(victim.pid, 'SIGSTOP');
    await new Promise((resolve) => setTimeout(resolve, 1_000 + random.below(6_000)));
    process.kill(victim.pid, 'SIGCONT');
    return 'worker frozen and woken';
  }
  await stage.kill(victim);
  await stage.startWorker();
  return 'worker killed';
}

test(`both promises hold through a campaign of kills (seed ${seed})`, { timeout: 600_000 }, async () => {
  const handles: WorkflowHandle[] = [];
  for (let index = 0; index < runCount; index += 1) handles.push(await startRun(index));

  const strikes: string[] = [];
  let isOver = false;
  const approver = (async () => {
    while (!isOver) {
      await decideGates();
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  })();
  const results = new Map<string, AgentRunResult | Error>();
  const stillRunning = () => handles.filter((handle) => !results.has(handle.workflowId));
  try {
    while (stillRunning().length > 0) {
      // The last runs get peace to end in: a campaign that strikes for ever never ends.
      if (strikes.length < runCount) strikes.push(await strike());
      await new Promise((resolve) => setTimeout(resolve, 500 + random.below(1_500)));
      for (const { workflowId } of stillRunning()) {
        const handle = stage.client.workflow.getHandle(workflowId);
        const { status } = await handle.describe().catch(() => ({ status: { name: 'RUNNING' } }));
        if (status.name === 'RUNNING') continue;
        results.set(workflowId, await handle.result().catch((error: Error) => error));
      }
    }
  } finally {
    isOver = true;
    await approver;
  }

  const problems: string[] = [];
  for (const [id, result] of results) {
    if (result instanceof Error) problems.push(`${id} failed: ${String(result.cause ?? result)}`);
    else if (result.status !== 'completed') problems.push(`${id} ended ${result.status}: ${result.message}`);
    problems.push(...(await stage.ledgerProblems(id)).map((problem) => `${id}: ${problem}`), ...gateProblems(id));
  }
  console.log(`${strikes.length} strikes: ${[...new Set(strikes)].map((kind) => `${strikes.filter((one) => one === kind).length} × ${kind}`).join(', ')}`);
  expect(problems, `seed ${seed}`).toEqual([]);
});

function gateProblems(id: string): string[] {
  const arrivals = destinations.get(id)?.arrivals ?? [];
  return (['pay', 'wire'] as const).flatMap((tool) => {
    const sent = arrivals.filter((arrival) => arrival.tool === tool);
    const approvals = [...decided.values()].filter(
      ({ gate, verdict }) => gate.runKey.agentRunId === id && gate.kind === 'action' && gate.tool === tool && verdict === 'approve',
    );
    const first = sent[0];
    return [
      ...(first && !approvals.some(({ atMs }) => atMs <= first.atMs) ? [`${id}: ${tool} ran without an approval before it`] : []),
      ...(new Set(sent.map((arrival) => arrival.idempotencyKey)).size > approvals.length ? [`${id}: ${tool} ran under more keys than approvals`] : []),
      // `wire` has no door to ask at, so it may never be sent again; `pay` may be, under the same key, once it says "not done".
      ...(tool === 'wire' && sent.length > 1 ? [`${id}: wire was sent ${sent.length} times`] : []),
    ];
  });
}
