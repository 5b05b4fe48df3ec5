/** The simulated provider: scripted models for tests, with faults, a bill, and no key. */
export type { Scenario, ScenarioInput } from '../adapters/providers/simulated/scenario.ts';
export { loadScenarios } from '../adapters/providers/simulated/scenario-files.ts';
export { type SimulatedProvider, type SimulatedProviderOptions, startSimulatedProvider } from '../adapters/providers/simulated/server.ts';
