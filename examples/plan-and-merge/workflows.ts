import { type AgentRunInput, type AgentRunResult, agentWorkflow, converse, runChildAgent, say, sayAnswerOf, textOf } from 'tollgate/workflows';

/**
 * Plans a report (one model call), has two agents work on the plan at once, each a run of its own under the budget of this
 * one, and merges what they found (one model call).
 */
export async function planAndMerge(start: AgentRunInput): Promise<AgentRunResult> {
  return await agentWorkflow(start, async (run) => {
    const plan = await converse(run);
    if (plan.status !== 'completed') return plan;

    const message = await textOf(run, plan);
    const [facts, risks] = await Promise.all([
      runChildAgent(run, { task: 'find-facts', input: { message }, budgetUsd: '0.05' }),
      runChildAgent(run, { task: 'find-risks', input: { message }, budgetUsd: '0.05' }),
    ]);

    await sayAnswerOf(run, facts, 'These facts were found:');
    await sayAnswerOf(run, risks, 'These risks were found:');
    await say(run, 'Now write the report.');
    return await converse(run);
  });
}
