import type { ScenarioInput } from '../../../adapters/providers/simulated/scenario.ts';
import { createAgentClient } from '../../../client/library/main.ts';
import { createMoneyDoor } from '../../../client/money-door.ts';
import type { Stage } from '../stage.ts';
import { waitFor } from '../wait-for.ts';

const call = (name: string, id: number) => ({ name, arguments: { id } });
/** No money for it, as far as anybody can say: behind a gateway it may have been billed. */
const breaks = { byModel: { 'gpt-5-mini': { faults: [{ type: 'serverError' as const }] } } };
const WAIT_MS = 4_000;

export const SCENARIOS: readonly ScenarioInput[] = [
  {
    id: 'desk',
    match: { system: 'DESK' },
    turns: [{ toolCalls: [call('look', 1), call('look', 2)], ...breaks }, { toolCalls: [call('pay', 1)] }, { text: 'paid' }],
  },
  {
    id: 'slow',
    match: { system: 'SLOW' },
    turns: [{ toolCalls: [call('look', 1)] }, { text: 'at last', faults: [{ type: 'slow', delayMs: WAIT_MS, attempt: 1 }] }],
  },
  {
    id: 'long',
    match: { system: 'LONG' },
    turns: [
      ...Array.from({ length: 9 }, (_, id) => ({ toolCalls: [call('note', id)] })),
      { text: 'done', byModel: { 'gpt-5-mini': { faults: [{ type: 'rateLimit', retryAfterMs: 50, attempt: 1 }] } } },
    ],
  },
  { id: 'lost', match: { system: 'LOST' }, turns: [{ text: 'here it is', faults: [{ type: 'cutAfterWork', attempt: 1 }] }] },
  // Longer than its parent takes to say twenty things, for which it must be under way.
  { id: 'waiter', match: { system: 'WAITER' }, turns: [{ text: 'waited', faults: [{ type: 'slow', delayMs: 2 * WAIT_MS }] }] },
];

/** Whose trace the run `called` is started in. */
export const CALLER = { traceId: 'ab'.repeat(16), spanId: 'cd'.repeat(8) };

/**
 * Plays runs with fallbacks, tools, gates, children and generations; the worker that has the slow call is killed in the middle of
 * it. Held money of one attempt is settled by the provider's record, and that of another is written off.
 */
export async function playTracedRuns(stage: Stage): Promise<void> {
  const agent = createAgentClient({ client: stage.client, store: stage.store, identity: { name: 'alice', roles: [] } });
  const ended = async (id: string) => expectCompleted(id, await agent.result(id));
  await agent.start('desk', { message: 'Refund order 1.' }, { id: 'called', traceparent: `00-${CALLER.traceId}-${CALLER.spanId}-01` });
  await stage.approve(stage.client.workflow.getHandle('called'));
  await ended('called');

  await agent.start('slow', { message: 'Take your time.' }, { id: 'killed' });
  await stage.kill(await workerOfOpenCall(stage, 'killed', 2));
  const children = [
    { task: 'desk', budgetUsd: '0.02' },
    { task: 'waiter', budgetUsd: '0.01' },
  ];
  await agent.start('fan-out', { message: 'All of you.', children }, { id: 'family' });
  await agent.start('rounds', { message: 'Twice.' }, { id: 'rounds' });
  await agent.start('long', { message: 'Note them.' }, { id: 'long' });
  await agent.start('lost', { message: 'Find it.' }, { id: 'lost' });
  const child = await waitFor('the child', async () => (await stage.store.listRuns({ task: 'desk', limit: 10 })).find(({ parentRunKeys }) => parentRunKeys[0]));
  await stage.approve(stage.client.workflow.getHandle(child.runKey.agentRunId));
  for (const id of ['killed', 'family', 'rounds', 'long', 'lost']) await ended(id);

  const money = createMoneyDoor({ openStore: async () => stage.store, connect: async () => stage.client, actor: () => 'alice', taskQueue: () => 'tollgate' });
  await money.reconcile({ agentRunId: 'lost' });
  const [held] = (await stage.store.listAttempts((await stage.run('called')).runKey)).filter(({ money: { status } }) => status === 'held');
  if (!held) throw new Error('the first try of "called" is held');
  await waitFor('the deadline of the held call', async () => (await stage.store.nowMs()) > held.dispatchDeadlineMs, 120_000);
  await money.writeOff(held.attemptId, 'the gateway keeps no records');
}

function expectCompleted(id: string, { status, message }: { readonly status: string; readonly message: string }): void {
  if (status !== 'completed') throw new Error(`${id} ended as ${status}: ${message}`);
}

/** The worker that is in the middle of a run's call. */
async function workerOfOpenCall(stage: Stage, agentRunId: string, step: number) {
  return await waitFor(`the call of step ${step}`, async () => {
    const run = await stage.store.latestRun(agentRunId as never);
    if (!run || !(await stage.store.listAttempts(run.runKey)).some((attempt) => attempt.step === step && attempt.outcome === null)) return null;
    const { raw } = await stage.client.workflow.getHandle(agentRunId).describe();
    const pids = (raw.pendingActivities ?? []).map(({ lastWorkerIdentity }) => Number(lastWorkerIdentity?.split('@')[0]));
    return stage.workers.find(({ pid }) => pids.includes(pid));
  });
}
