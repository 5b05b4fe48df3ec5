/** For a team's own tests: tasks run for real, on a real Temporal server, with a model that says what the test wrote down. */
export { type ApproverDecision, type Approver, approveAll, byTool, denyAll, type RecordedDecision } from './approver.ts';
export { startTestEnvironment, type TestEnvironmentOptions } from './environment.ts';
export {
  breaks,
  hangs,
  inOrder,
  notDone,
  type RecordedCall,
  recorded,
  returns,
  type ToolFunction,
  type ToolReplacement,
  type ToolReplacements,
} from './replaced-tools.ts';
export { answer, call, callAll, type FaultInput, type ModelAsked, refusal, type ScriptTurn, type TurnInput, withFault } from './script.ts';
export type { ScriptedModel, ScriptMatch } from './scripted-model.ts';
export type { EndedRun, TestEnvironment } from './test-environment.ts';
export type { TestRun, TestToolCall, WaitOptions } from './test-run.ts';

/** The simulated provider by itself, for tests of other clients: scenarios, faults, a bill, and no key. */
export type { BillEntry } from '../adapters/providers/simulated/bill.ts';
export type { Scenario, ScenarioInput } from '../adapters/providers/simulated/scenario.ts';
export { loadScenarios } from '../adapters/providers/simulated/scenario-files.ts';
export { type SimulatedProvider, type SimulatedProviderOptions, startSimulatedProvider } from '../adapters/providers/simulated/server.ts';
