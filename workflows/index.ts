/** Workflow types: what stands here can be started. The pieces for workflows of your own are in pieces.ts. */
export { agentRun } from './agent-run/agent-run.ts';
export { reconcileHeld } from './budget/reconcile-held.ts';
