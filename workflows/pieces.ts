/**
 * The pieces of an agent run, for workflows of one's own: `tollgate/workflows`. See docs/own-workflows.md. The gate of an
 * irreversible action is enforced where the action runs, so no workflow can skip it.
 */
export type { AgentRunInput, AgentRunResult, PlannedCall, RunEnd } from '../contracts/agent-run.ts';
export type { GateStatus } from '../contracts/approval.ts';
export { agentRun } from './agent-run/agent-run.ts';
export { type ChildAgent, type ChildResult, runChildAgent } from './agent-run/child-agents.ts';
export {
  agentWorkflow,
  callModel,
  carriedState,
  continueRun,
  converse,
  executeTool,
  executeTools,
  type RunBody,
  requireApproval,
  say,
  sayAnswerOf,
  shouldContinueAsNew,
  type StepOutcome,
  textOf,
} from './agent-run/own-workflow.ts';
export type { RunState } from './agent-run/run-state.ts';
export { readable } from './readable.ts';
