import { type AgentRunInput, type AgentRunResult, agentWorkflow, callModel, executeTools } from 'tollgate/workflows';

/** One look, and no more. */
export async function lookOnce(start: AgentRunInput): Promise<AgentRunResult> {
  return await agentWorkflow(start, async (run) => {
    const step = await callModel(run);
    if (step.type !== 'toolCalls') return { status: 'failed', message: 'The model did not look.' };
    await executeTools(run);
    return { status: 'completed', message: `Looked ${step.calls.length} time.` };
  });
}
