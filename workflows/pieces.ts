/** The pieces of the loop, for teams that write their own workflow. The gate is enforced where the action runs, so none can skip it. */
export { agentRun } from './agent-run/agent-run.ts';
export { RunState } from './agent-run/run-state.ts';
export { handleDecisions } from './approval/decisions.ts';
export { awaitDecision, openGate } from './approval/gates.ts';
export { callModel } from './model/call-model.ts';
export { carryOut } from './tool/execute-tool.ts';
