import { ApplicationFailure, condition, defineSignal, proxyActivities, setHandler } from '@temporalio/workflow';
import {
  type AgentRunInput,
  type AgentRunResult,
  agentWorkflow,
  callModel,
  carriedState,
  continueRun,
  executeTool,
  type RunState,
  requireApproval,
  runChildAgent,
  say,
  shouldContinueAsNew,
} from 'tollgate/workflows';

export * from '../../../examples/plan-and-merge/workflows.ts';

/** A project can't put its own in the place of ours. */
export async function agentRun(): Promise<string> {
  return 'replaced';
}

interface FanOut {
  readonly message: string;
  readonly children: readonly { readonly task: string; readonly budgetUsd: string }[];
}

/** As many children at once as the input names. Answers how each ended. */
export async function fanOut(start: AgentRunInput): Promise<AgentRunResult> {
  return await agentWorkflow(start, async (run) => {
    const { children } = run.start.input as unknown as FanOut;
    const ended = await Promise.all(
      children.map(({ task, budgetUsd }, index) => runChildAgent(run, { task, budgetUsd, input: { message: `Go (${index}).` }, name: `child-${index}` })),
    );
    return { status: 'completed', message: JSON.stringify(ended.map(({ runKey, status, message }) => ({ id: runKey.agentRunId, status, message }))) };
  });
}

/** Grows its history while a child is in flight, then goes on as new. */
export async function rounds(start: AgentRunInput): Promise<AgentRunResult> {
  return await agentWorkflow(start, async (run) => {
    const round = carriedState(run);
    if (round !== undefined) return { status: 'completed', message: `round ${String(round)}` };
    const child = runChildAgent(run, { task: 'waiter', budgetUsd: '0.01', input: { message: 'Wait.' } });
    for (let count = 0; count < 20; count += 1) await say(run, `note ${count}`);
    const during = shouldContinueAsNew(run);
    const [, after] = await Promise.all([child, child.then(() => shouldContinueAsNew(run))]);
    if (during || !after) throw ApplicationFailure.nonRetryable(`during ${during}, after ${after}`, 'wrong');
    return await continueRun(run, 2);
  });
}

export async function failing(start: AgentRunInput): Promise<AgentRunResult> {
  return await agentWorkflow(start, async () => {
    throw ApplicationFailure.nonRetryable('It does not work out.', 'notWorkable');
  });
}

/** Opens the gate of its call, waits until it is approved, and then does nothing with it. */
export async function approvedOnly(start: AgentRunInput): Promise<AgentRunResult> {
  return await agentWorkflow(start, async (run) => {
    const step = await callModel(run);
    if (step.type === 'toolCalls') for (const call of step.calls) await requireApproval(run, call);
    return await condition(() => false).then(() => ({ status: 'completed', message: '' }));
  });
}

/** Does what the pieces are for: asks, and carries out what was approved. */
export async function honest(start: AgentRunInput): Promise<AgentRunResult> {
  return await agentWorkflow(start, async (run) => {
    const step = await callModel(run);
    const answers: string[] = [];
    if (step.type === 'toolCalls')
      for (const call of step.calls) {
        answers.push(await requireApproval(run, call));
        await executeTool(run, call);
      }
    const last = await callModel(run);
    return last.type === 'end' ? { ...last.end, message: answers.join(',') } : { status: 'failed', message: 'no answer' };
  });
}

/** Uses the piece for an irreversible call without asking anybody. */
export async function careless(start: AgentRunInput): Promise<AgentRunResult> {
  return await agentWorkflow(start, async (run) => {
    const step = await callModel(run);
    if (step.type === 'toolCalls') for (const call of step.calls) await executeTool(run, call);
    return { status: 'completed', message: 'unreachable' };
  });
}

const activities = proxyActivities<{ executeTool(input: unknown): Promise<unknown> }>({
  startToCloseTimeout: '30s',
  heartbeatTimeout: '4s',
  retry: { maximumAttempts: 1 },
});
const attackSignal = defineSignal<[{ readonly approvalId?: string } | null]>('attack');

/** Goes around the pieces: schedules the activity itself, with whatever approval it is told, until it is told null. Answers what came of each. */
export async function hostile(start: AgentRunInput): Promise<AgentRunResult> {
  return await agentWorkflow(start, async (run) => {
    const attacks: ({ readonly approvalId?: string } | null)[] = [];
    setHandler(attackSignal, (attack) => void attacks.push(attack));
    await callModel(run);
    const outcomes: unknown[] = [];
    for (;;) {
      await condition(() => attacks.length > 0);
      const attack = attacks.shift();
      if (!attack) return { status: 'completed', message: JSON.stringify(outcomes) };
      outcomes.push(await attempt(run, attack));
    }
  });
}

async function attempt(run: RunState, attack: { readonly approvalId?: string }): Promise<unknown> {
  try {
    return await activities.executeTool({ version: 1, runKey: run.runKey, attemptId: run.position.replyAttemptId, callIndex: 0, ...attack });
  } catch (error) {
    return { type: 'thrown', failure: ((error as Error).cause as ApplicationFailure | undefined)?.type };
  }
}
