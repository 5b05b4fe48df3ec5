import { setTimeout as sleep } from 'node:timers/promises';
import { TollgateError } from '../../contracts/failures.ts';
import type { Store } from '../../domain/store/port.ts';
import type { TaskSpec } from '../../domain/task/define.ts';
import type { AgentClient } from '../agent-client.ts';
import { type GateReport, reportGate } from '../gate-report.ts';

export const SAMPLE_RUN_ID = 'sample-refund';
export const SAMPLE_TASK = 'customer-support';
const SAMPLE_INPUT = {
  message:
    'Hello, this is Mara Lindqvist, customer C-207. The tent from my order W-1042 arrived with a torn seam, so I would like my money back for the tent. And where is my order W-1043?',
};
const WAIT_MS = 90_000;
const LOOK_MS = 200;

export type SampleState =
  | { readonly type: 'waiting'; readonly gate: GateReport }
  /** It ended without stopping at a gate. */
  | { readonly type: 'ended'; readonly message: string }
  /** Nothing to show within the time. */
  | { readonly type: 'late' };

/** Starts the sample run, or finds the one that is going on, and waits until it stands at its gate. */
export async function bringSampleToItsGate(agent: AgentClient, store: Store, task: TaskSpec): Promise<SampleState> {
  if (await isRunning(agent)) {
    const state = await awaitGate(agent, store);
    if (state.type !== 'ended') return state;
    // It had been decided on before, and went on to its end meanwhile.
  }
  await agent.start(task, SAMPLE_INPUT, { id: SAMPLE_RUN_ID, tenant: 'northwind', feature: 'support' });
  return await awaitGate(agent, store);
}

async function isRunning(agent: AgentClient): Promise<boolean> {
  try {
    return (await agent.describe(SAMPLE_RUN_ID)).closedAt === null;
  } catch (error) {
    if (error instanceof TollgateError && error.type === 'notFound') return false;
    throw error;
  }
}

async function awaitGate(agent: AgentClient, store: Store): Promise<SampleState> {
  const { runKey } = await agent.describe(SAMPLE_RUN_ID);
  const deadlineMs = Date.now() + WAIT_MS;
  while (Date.now() < deadlineMs) {
    const [gate] = await store.listGates({ runKey, status: 'open', limit: 1 });
    if (gate) return { type: 'waiting', gate: reportGate(gate) };
    const run = await store.getRun(runKey);
    if (run?.end) return { type: 'ended', message: run.end.message };
    await sleep(LOOK_MS);
  }
  return { type: 'late' };
}
